"""controlnet.hints=predicted: each training clip's hint by a predictor that did not learn from it, and what that leaves alone."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import chain
from bench.backbones import Lab as LabBackbone
from bench.clipset import Clips
from bench.context import Context
from bench.errors import Failed
from bench.experiment import Experiment
from bench.ragged import Ragged
from bench.record import frame
from bench.run import rows_of, run
from bench.settings import component
from bench.stages import outoffold
from bench.store import Store
from controls import load
from melqcd.sampling import DPMSolver
from melqcd.settings import V2X, ControlNet, Training
from tests.helping.tiny import SCALE, Brightness, backbone

SHORT = Training(steps=3, batch=2)


@pytest.fixture(scope="module")
def x(tmp_path_factory) -> Experiment:
    return Experiment(
        control=load("melqcd")(), data=component("data", "lab", "test=4", "train=20"), learn=component("learn", "same"), scale=SCALE,
        motion=Brightness(), looks=Brightness(), backbone=LabBackbone(backbone(tmp_path_factory.mktemp("nets") / "backbone")),
        sampling=DPMSolver(steps=2), judges=(component("judges", "sync"),),
        predictor=V2X(width=16, depth=1, heads=2, bias=8, training=SHORT),
        controlnet=ControlNet(widths=(8, 16), training=SHORT, hints="predicted"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(x, tmp_path_factory):
    """(results, store, for each predictor: which clips taught it and which it predicted)."""
    results, seen = tmp_path_factory.mktemp("results"), []
    store = Store(results / "cache", Context(quiet=True, workers=1, threads=1), deferred=True)
    learnt, guess = outoffold.learnt, outoffold.guess

    def taught(how, control, pairs, ids, *rest):
        seen.append((rest[-1], set(ids), []))
        return learnt(how, control, pairs, ids, *rest)

    def guessed(net, control, pairs, ids, *rest):
        if seen and seen[-1][0].startswith("fold"):
            seen[-1][2].extend(ids)
        return guess(net, control, pairs, ids, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outoffold, "learnt", taught)
        patch.setattr(outoffold, "guess", guessed)
        run(rows_of([x])[:3], store, results, [])
    return results, store, [one for one in seen if one[0].startswith("fold")]


def only(store: Store, stage: str) -> Path:
    (found,) = {store.find(a.key) for a in store.asked if a.stage == stage}
    return found


def test_no_clip_is_predicted_by_what_it_taught_and_each_once(done):
    _, store, folds = done
    assert 2 < len(folds) <= outoffold.FOLDS  # of so few clips a fold may have none
    assert not [label for label, taught, guessed in folds if taught & set(guessed)]
    every = [id for _, _, guessed in folds for id in guessed]
    made = only(store, "outoffold")
    assert sorted(every) == sorted(set(every)) == sorted(Ragged(made, "code"))
    assert set(every) == set(Clips(only(store, "clips")).ids("train", "val"))


def test_what_the_controlnet_sees_is_what_they_predicted(done, x):
    _, store, _ = done
    made, truth = only(store, "outoffold"), only(store, "signals")
    found, true = Ragged(made, "energy"), Ragged(truth, "energy")
    for id in found:
        assert found[id].shape == true[id].shape
        assert not np.array_equal(found[id], true[id])
    quality = json.loads((made / "predictor.json").read_text())
    assert set(quality) == {"train", "val"}
    assert 0 <= quality["train"]["code"]["acc"] <= 1
    asked = next(a for a in store.asked if a.stage == "controlnet")
    assert made.name in asked.parts
    assert truth.name not in asked.parts


def test_only_controlnet_and_sound_are_others(x):
    def keys(x: Experiment) -> dict[str, str]:
        store = Store(Path("nowhere"), dry=True)
        chain.scores(x, store)
        return {a.stage: a.key for a in store.asked}

    true, predicted = keys(replace(x, controlnet=replace(x.controlnet, hints="true"))), keys(x)
    assert {s for s in true if true[s] != predicted[s]} == {"controlnet", "sound", "judge", "pairs", "score"}
    assert set(predicted) - set(true) == {"outoffold"}


def test_records_say_what_taught(done):
    results, _, _ = done
    found = frame(results).set_index("experiment.name")
    name = "melqcd (taught by predicted hints), predicted"
    assert set(found.index) == {"none", "melqcd (taught by predicted hints), true hints", name}
    assert found.loc[name, "experiment.controlnet.hints"] == "predicted"
    assert 0 <= found.loc[name, "facts.taught_by.code.acc"] <= 1


def test_where_nothing_is_predicted_it_changes_nothing(x):
    """Floor and ceilings stay those of every other table."""
    for control in ("none", "oracle", "clip"):
        assert replace(x, control=load(control)(), predicted="none").controlnet.hints == "true"


def test_a_killed_one_goes_on_to_the_same(done, x, tmp_path):
    _, store, _ = done
    made = only(store, "outoffold")
    again = Store(tmp_path / "cache", Context(quiet=True, workers=1, threads=1))
    learnt = outoffold.learnt
    calls = []

    def broken(*parts):
        calls.append(parts[-1])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return learnt(*parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outoffold, "learnt", broken)
        with suppress(KeyboardInterrupt):
            chain.controlnet(x, chain.decoded(x.taught, again), again)
    assert len(calls) == 3
    chain.controlnet(x, chain.decoded(x.taught, again), again)
    found = only(again, "outoffold")
    for name, tolerance in (("energy", 1e-3), ("deviation", 1e-3)):  # two runs of a training agree to rounding
        one, other = Ragged(made, name), Ragged(found, name)
        assert list(one) == list(other)
        assert max(float(np.abs(one[id] - other[id]).max()) for id in one) < tolerance
    apart = [np.mean(Ragged(made, "code")[id] != Ragged(found, "code")[id]) for id in Ragged(made, "code")]
    assert np.mean(apart) < 0.01


def test_too_few_clips_are_named(x, tmp_path):
    few = replace(x, data=component("data", "lab", "test=4", "train=1"))
    store = Store(tmp_path / "cache", Context(quiet=True, workers=1, threads=1))
    with pytest.raises(Failed, match="1 clips with a picture: too few"):
        chain.controlnet(few, chain.decoded(few.taught, store), store)


def test_what_cannot_be_is_refused(x):
    with pytest.raises(ValueError, match="is trained: leave one"):
        ControlNet(hints="predicted", path="somewhere")
    with pytest.raises(ValueError, match="hints is true or predicted"):
        ControlNet(hints="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="leave predictor.path"):
        replace(x, predictor=replace(x.predictor, path=str(Path(__file__))))
