"""Every kind of line of the tables' sweeps on two clips with the lab's own networks, to its report; other systems scored beside them."""

import shutil
from pathlib import Path

import pytest

from bench.cli import main
from bench.record import frame
from bench.report.make import report
from bench.sweep import read

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    results = tmp_path_factory.mktemp("micro")
    quiet = [f"machine.results={results}", "machine.quiet=true", "machine.workers=1", "machine.threads=1"]
    main(["sweep", str(ROOT / "sweeps" / "micro.yaml"), *quiet])
    return results, quiet


def cells(results, table, row):
    made = report(str(ROOT / "reports" / f"{table}.yaml"), [results])
    return [s.text for s in next(x for x in made.groups[0][1][0].lines if x.label == row).cells]


def test_the_micro_sweep_has_a_line_of_every_kind():
    told = [" ".join(line.words) for line in read(str(ROOT / "sweeps" / "micro.yaml"))]
    for kind in ("predicted=none", "predicted=all", "predicted=[code]", "inversion=adapter", "slots=original"):
        assert any(kind in words for words in told), kind


@pytest.mark.slow  # a minute of training and sampling
def test_every_line_runs_to_its_record_and_its_report(swept):
    results, _ = swept
    found = frame(results)
    assert len(found) == 6 and set(found["status"]) == {"done"}
    made = [p.name.rpartition("-")[0] for p in (results / "cache").iterdir() if p.is_dir() and "." not in p.name]
    assert [made.count(s) for s in ("controlnet", "predictor", "inversion", "latents")] == [3, 2, 1, 1]
    for row in ("neither MQ nor TI", "MQ", "TI", "MQ and TI"):
        assert "–" not in cells(results, "table3", row)
    codes, acc, chance, sim, *_ = cells(results, "table4", "λ=2, K=16")
    assert codes == "2^37.2" and 0 <= float(acc) <= 100 and 0 < float(chance) < 100 and -100 <= float(sim) <= 100
    assert cells(results, "table5", "Original")[0] == "1024"


@pytest.mark.slow
def test_a_folder_of_another_system_stands_in_table_1(swept, tmp_path):
    """The folder holds our own sounds under another name: the two rows must say the same."""
    results, quiet = swept
    found = frame(results).set_index("experiment.name")
    sounds = results / found.loc["none", "facts.sound"]
    (tmp_path / "specvqgan").mkdir()
    for path in sounds.glob("*.wav"):
        shutil.copy(path, tmp_path / "specvqgan")
    (world,) = (results / "cache").glob("world-*")
    labels = tmp_path / "labels.csv"
    shutil.copy(sounds / "sounds.csv", labels)
    main(
        [
            "score",
            str(tmp_path / "specvqgan"),
            "--reference",
            str(world),
            "--labels",
            str(labels),
            "--set",
            "judges=[sync,lab]",
            *quiet,
        ]
    )
    ours, other = (cells(results, "table1", row) for row in ("Auffusion", "SpecVQGAN"))
    assert ours == other and "–" not in ours
