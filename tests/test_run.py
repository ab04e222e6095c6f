"""The whole chain on a handful of lab clips with tiny seeded networks: what is made, shared, resumed and kept."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from tiny import SCALE, Brightness

from bench import chain
from bench.backbones import Lab as LabBackbone
from bench.context import Context
from bench.errors import Stopped
from bench.experiment import Experiment
from bench.ragged import Ragged
from bench.record import frame, rows
from bench.response import record, respond, told
from bench.run import rows_of, run
from bench.settings import component
from bench.store import Store
from controls import load
from melqcd.sampling import DPMSolver
from melqcd.settings import V2X, ControlNet, Training


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> LabBackbone:
    return LabBackbone(tiny.backbone(tmp_path_factory.mktemp("backbone")))


def experiment(backbone: LabBackbone) -> Experiment:
    return Experiment(
        control=load("melqcd")(),
        data=component("data", "lab", "test=4", "train=20"),
        learn=component("learn", "same"),
        scale=SCALE,
        motion=Brightness(),
        backbone=backbone,
        sampling=DPMSolver(steps=2),
        judges=(component("judges", "sync"),),
        predictor=V2X(width=16, depth=1, heads=2, bias=8, training=Training(steps=4, batch=4)),
        controlnet=ControlNet(widths=(8, 16), training=Training(steps=4, batch=4)),
    )


@pytest.fixture(scope="module")
def x(backbone) -> Experiment:
    return experiment(backbone)


@pytest.fixture(scope="module")
def done(x, tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    store = Store(results / "cache", Context(quiet=True, workers=1, threads=1))
    run(rows_of([x]), store, results, ["control=melqcd", f"machine.results={results}"])
    return results, store


def test_a_run_leaves_a_record_of_floor_control_and_ceilings(done):
    results, _ = done
    found = frame(results).set_index("experiment.name")
    assert set(found.index) == {"none", "melqcd, true hints", "melqcd, predicted", "oracle", "reference"}
    assert found["scores.onset_acc.condfoley.value"].between(0, 1).all()
    assert found.loc["melqcd, predicted", "facts.predictor.code.chance"] > 0
    assert -1 <= found.loc["melqcd, predicted", "facts.predictor.code.sim"] <= 1
    assert found.loc["melqcd, true hints", "facts.codes"] == 6561
    assert found.loc["melqcd, true hints", "facts.bits_per_second"] == pytest.approx(25 * 12.6797, abs=0.01)
    assert 0 < found.loc["melqcd, true hints", "facts.measured.entropy_per_slot"] < 12.6797
    assert rows(results).groupby("record")["clip"].nunique().eq(4).all()


def test_a_record_names_nothing_of_the_machine_that_made_it(done):
    results, _ = done
    for path in results.glob("*.json"):
        assert str(results) not in path.read_text()
        told = json.loads(path.read_text())
        assert told["words"] == ["control=melqcd"] and (results / told["facts"]["sound"] / "sounds.csv").exists()


def test_every_clip_has_a_sound_of_its_length(done, x):
    import soundfile

    results, store = done
    clips = store.find(next(a.key for a in store.asked if a.stage == "clips"))
    lengths = {
        r.split(",")[0]: float(r.split(",")[3]) for r in (clips / "clips.csv").read_text().splitlines()[1:] if ",test," in r
    }
    for folder in (results / "cache").glob("sound-*"):
        assert {p.stem for p in folder.glob("*.wav")} == set(lengths)
        for path in folder.glob("*.wav"):
            wave, rate = soundfile.read(path)
            assert rate == 16000
            assert len(wave) / rate == pytest.approx(lengths[path.stem], abs=1e-4)
            assert np.abs(wave).max() > 0


def test_every_clip_has_a_film_with_its_sound(done):
    from bench.media import read

    results, _ = done
    films = list((results / "cache").glob("films-*/*.mp4"))
    assert len(films) == 5 * 4
    media = read(films[0])
    assert len(media.times) > 25
    assert np.abs(media.wave).max() > 0


def test_shared_artefacts_are_made_once(done):
    _, store = done
    made = [name.rpartition("-")[0] for name in store.made]
    assert len(store.made) == len(set(store.made))
    counts = {stage: made.count(stage) for stage in set(made)}
    assert counts == {
        "world": 1, "clips": 1, "features": 1, "latents": 1, "signals": 2, "cost": 2, "predictor": 1, "hints": 1, "controlnet": 2,
        "sound": 4, "reference": 1, "films": 5, "judge": 1 + 5 + 5 * 2, "pairs": 5, "score": 5,
    }  # fmt: skip


def test_a_second_run_makes_nothing(done, x):
    results, _ = done
    before = {p: p.stat().st_mtime_ns for p in (results / "cache").rglob("*") if p.is_file()}
    again = Store(results / "cache", Context(quiet=True))
    run(rows_of([x]), again, results, ["control=melqcd"])
    assert again.made == []
    assert before == {p: p.stat().st_mtime_ns for p in (results / "cache").rglob("*") if p.is_file()}


def test_another_control_shares_all_that_is_not_its_own(done, x):
    results, _ = done
    dry = Store(results / "cache", dry=True)
    other = replace(x, control=load("energy")())
    chain.scores(other, dry)
    there = {a.stage for a in dry.asked if a.exists}
    assert {"world", "clips", "features", "latents"} <= there
    assert not {"signals", "predictor", "controlnet", "sound"} & there


def test_guidance_changes_the_sound_and_nothing_before_it(done, x):
    results, _ = done
    dry = Store(results / "cache", dry=True)
    chain.scores(replace(x, sampling=DPMSolver(steps=2, guidance=1.0)), dry)
    missing = {a.stage for a in dry.asked if not a.exists}
    assert missing == {"sound", "judge", "pairs", "score"}


def test_a_training_that_is_stopped_goes_on_to_the_same_weights(done, x, tmp_path):
    """Asked to stop after two of four steps; the artefact that the next attempt makes has the bytes of the undisturbed one."""
    results, first = done
    calls = []

    class Interrupted(Context):
        def track(self, items, label, **more):
            for item in super().track(items, label, **more):
                yield item
                if label == "controlnet":
                    calls.append(item)
                    if len(calls) == 2:
                        self.stop()

    def attempt(ctx):
        from bench.stages.control import train_controlnet

        clips, latents, truth = (
            first.find(next(a.key for a in first.asked if a.stage == s)) for s in ("clips", "latents", "signals")
        )
        out, part = tmp_path / f"out{len(calls)}", tmp_path / "part"
        out.mkdir()
        part.mkdir(exist_ok=True)
        train_controlnet(out, part, ctx, x.controlnet, x.prompt, x.backbone, x.control, latents, clips, truth)
        return (out / "diffusion_pytorch_model.safetensors").read_bytes()

    with pytest.raises((Stopped, InterruptedError)):
        attempt(Interrupted(quiet=True, threads=1))
    assert len(calls) == 2
    made = attempt(Context(quiet=True, threads=1))
    nets = {p.parent: p.read_bytes() for p in (results / "cache").glob("controlnet-*/diffusion_pytorch_model.safetensors")}
    assert made in nets.values()


CACHED = """
import importlib.util, sys
from pathlib import Path
name, file, backbone, results = sys.argv[1:]
spec = importlib.util.spec_from_file_location(name, file)
module = sys.modules[name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from bench.context import Context
from bench.run import rows_of, run
from bench.store import Store
store = Store(Path(results) / "cache", Context(quiet=True))
run(rows_of([module.experiment(module.LabBackbone(backbone))]), store, Path(results), [])
print("MADE", store.made, "HEAVY", sorted({"torch", "diffusers", "transformers"} & set(sys.modules)))
"""


def test_a_run_that_finds_everything_imports_no_torch(done, backbone):
    results, _ = done
    command = [sys.executable, "-c", CACHED, "as_a_test", __file__, backbone.path, str(results)]
    paths = {**os.environ, "PYTHONPATH": str(Path(tiny.__file__).parent)}
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=paths).stdout
    assert "MADE [] HEAVY []" in told
    assert "melqcd, predicted" in told


def test_wrong_hints_need_no_other_controlnet(x, done):
    results, _ = done
    store = Store(results / "cache", Context(quiet=True, workers=1, threads=1), deferred=True)
    response = respond(x, store)
    assert [s.name for s in response.systems] == ["true", "shuffled", "shifted", "zeroed"]
    made = [name.partition("-")[0] for name in store.made]
    assert made.count("misled") == made.count("sound") == 3 and "controlnet" not in made and "signals" not in made
    (shuffled,) = (
        store.find(a.key)
        for a in store.asked
        if a.stage == "misled" and "shuffled" in (store.find(a.key) / "facts.json").read_text()
    )
    (truth,) = {store.find(a.key) for a in store.asked if a.stage == "signals"}
    ids = list(Ragged(shuffled, "energy"))
    assert len(ids) == 4
    for one, other in zip(ids, [*ids[1:], ids[0]], strict=True):
        given, taken = Ragged(shuffled, "energy")[one], Ragged(truth, "energy")[other]
        both = min(len(given), len(taken))
        assert (given[:both] == taken[:both]).all()
    assert any("shuffled" in line for line in told(response))
    path = record(x, response, ["control=melqcd"]).write(results / "checks")
    assert set(json.loads(path.read_text())["facts"]["systems"]) == {"true", "shuffled", "shifted", "zeroed"}


def test_a_gap_is_shared_among_all_combinations_of_parts(x, done):
    from bench.budget import budget, record, write
    from bench.budget_table import lines

    results, _ = done
    store = Store(results / "cache", Context(quiet=True, workers=1, threads=1), deferred=True)
    found = budget(x, store, "melqcd")
    made = [name.partition("-")[0] for name in store.made]
    assert made.count("sound") == 6 and not {"controlnet", "predictor", "signals", "world"} & set(
        made
    )  # two are those of the run
    assert len(found.systems) == 8 and found.parts == ("code", "energy", "deviation")
    kept = frame(results).set_index("experiment.name")
    for id in found.metrics:
        gap = found.gap(id)
        assert gap.true == pytest.approx(kept.loc["melqcd, true hints", f"scores.{id}.value"])
        assert gap.predicted == pytest.approx(kept.loc["melqcd, predicted", f"scores.{id}.value"])
        for label in ["", *found.labels]:
            if found.gap(id, label):
                assert sum(s.value for s in found.of(id, label)) == pytest.approx(found.gap(id, label).value, abs=1e-9)
    assert found.labels and any("costs most" in line or "no gap" in line for line in lines(found))
    kept = record(x, found, ["control=melqcd"])
    assert kept.write(results / "budgets").exists()
    paths = write(found, results / "budget", kept.id)
    assert [p.suffix for p in paths] == [".csv", ".png", ".svg"] and all(p.stat().st_size > 200 for p in paths)
