"""Sweep files: all lines composed before any runs, shared artefacts once, a failure that stops no other, and nothing made twice."""

import json
from pathlib import Path

import pytest
from terminal import status

from bench import shelf
from bench.errors import Refused
from bench.record import frame
from bench.sweep import checked, composed, read
from controls import registry

ROOT = Path(__file__).resolve().parent.parent
COMING = {"encodec", "clip"} - set(registry.names())  # controls that sweeps name and that are not part of this tree yet

SMALL = """
about: floor and ceiling of two clips, and a control that has nothing to learn from
common: data.test=2 data.train=0 judges=[sync] sampling.steps=1 machine.workers=1 machine.threads=1 machine.quiet=true
runs:
  - control=onset predicted=none
  - control=none predicted=none sampling.seed=0,1
references:
  - control=none predicted=none
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_WORDS", raising=False)
    return tmp_path


def put(text: str, name: str = "small") -> str:
    Path("sweeps").mkdir(exist_ok=True)
    Path("sweeps", f"{name}.yaml").write_text(text)
    return name


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps").glob("[!p]*.yaml")), ids=lambda p: p.stem)
def test_every_line_of_every_sweep_here_composes(path):
    """But those of the paper's data sets (`paper_...`), which tests/test_paper_sweeps.py composes."""
    lines = read(str(path))
    ready = [line for line in lines if not {f"control={name}" for name in COMING} & set(line.words)]
    runs, _, bad = composed(ready)
    assert bad == {}
    assert len(runs) == len({run.row.id for run in runs}) > 0


def test_table_2_trains_and_samples_with_one_seed_at_a_time():
    runs, _, _ = checked(read("table2", ["control=melqcd", "prompt=label"]), allow_missing=True)
    assert all(r.row.x.sampling.seed == r.row.x.predictor.training.seed == r.row.x.controlnet.training.seed for r in runs)
    assert {r.row.x.sampling.seed for r in runs} == {0, 1, 2}
    assert {r.row.x.prompt for r in runs} == {"label"}  # the word given here takes the place of the file's label,generic


def test_a_name_is_a_path_then_a_sweep_here_then_one_that_came_along():
    assert shelf.find("sweeps", "table2").name == "table2.yaml"
    put(SMALL, "table2")
    assert shelf.find("sweeps", "table2") == Path("sweeps/table2.yaml")
    Path("mine.yaml").write_text(SMALL)
    assert shelf.find("sweeps", "mine.yaml") == Path("mine.yaml")
    with pytest.raises(Refused, match="Did you mean 'table2'"):
        shelf.find("sweeps", "tabel2")


def test_all_bad_lines_are_named_before_anything_runs(elsewhere, capsys):
    put("about: x\nruns: [control=nosuch, control=none, control.boud=1]")
    assert status("sweep", "small") == 2
    said = capsys.readouterr().err
    assert "2 of 3 lines" in said
    assert "nosuch" in said
    assert "'boud'" in said
    assert not (elsewhere / "results").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("about: x\nruns: [[a]]", "lines of words"),
        ("about: x\nruns: []", "is empty"),
        ("about: x\nrun: [control=none]", "Did you mean 'runs'"),
        ("about: x", "'runs' is missing"),
        ("about: x\nruns: control=none", "runs must be list"),
        ("{", "cannot be read as YAML"),
        ("- a", "must hold the keys"),
        ("about: x\nruns: [nothing]", "write NAME=VALUE"),
    ],
)
def test_a_file_that_is_no_sweep_is_refused_by_name(text, said):
    put(text)
    with pytest.raises(Refused, match=said) as error:
        read("small")
    assert "small.yaml" in str(error.value)


def test_equal_experiments_of_several_lines_are_one_run():
    put("about: x\ncommon: data.test=2\nruns: ['control=none', 'control=none sampling.seed=0', 'control=none,none']")
    assert len(checked(read("small"))[0]) == 1


def test_a_plan_of_sweep_files_counts_what_they_share_once(capsys):
    text = "about: x\ncommon: data.test=2 data.train=2 judges=[sync]\nruns: ['control=onset predicted=none']"
    put(text)
    put(text.replace("onset", "energy"), "other")
    assert status("plan", "small", "other", "--all") == 0
    keys = [line.split()[2] for line in capsys.readouterr().out.splitlines() if line.startswith("to make")]
    assert len(keys) == len(set(keys))
    stages = [key.rpartition("-")[0] for key in keys]
    assert (stages.count("clips"), stages.count("latents"), stages.count("controlnet")) == (1, 1, 2)


def test_a_sweep_keeps_every_run_and_again_makes_only_what_is_missing(elsewhere, capsys):
    put(SMALL)
    assert status("sweep", "small") == 1
    said = capsys.readouterr()
    assert "FAILED: the train split has no clip" in said.out
    assert "4 runs: 3 done, 0 there before, 1 failed" in said.out
    found = frame("results").set_index("experiment.name")
    assert found["status"].to_dict()["onset, true hints"] == "failed"
    assert "no clip" in found.loc["onset, true hints", "facts.reason"]
    done = found[found["status"] == "done"]
    assert sorted(done.index) == ["none", "none", "reference"]
    assert done["facts.clips_hash"].nunique() == 1
    assert all(
        isinstance(json.loads((elsewhere / f"results/rows/{i}.without.json").read_text())["onset_acc.pooled"], list)
        for i in done["id"]
    )

    before = {p: p.stat().st_mtime_ns for p in (elsewhere / "results").rglob("*") if p.is_file() and p.suffix != ".json"}
    (elsewhere / "results" / f"{done['id'].iloc[0]}.json").unlink()
    assert status("sweep", "small") == 1
    said = capsys.readouterr().out
    assert "1 done, 2 there before, 1 failed" in said
    assert "0 were made now" in said
    for path, when in before.items():
        if "rows" not in path.parts and not path.name.endswith((".failed", ".lock")):
            assert path.stat().st_mtime_ns == when, path


def test_lines_that_cannot_be_composed_may_be_left_as_gaps(capsys):
    put("about: x\ncommon: data.test=2 data.train=0 judges=[sync] sampling.steps=1\nruns: [control=none, control=nosuch]")
    assert status("sweep", "small", "--allow-missing") == 1
    assert "2 runs: 1 done, 0 there before, 1 failed" in capsys.readouterr().out
    assert sorted(frame("results")["status"]) == ["done", "failed"]
