"""Shapley shares by hand, and what a budget does with rows, classes and controls that cannot be taken apart."""

import json

import numpy as np
import pandas as pd
import pytest

from bench.budget import MOST, shared, variants
from bench.budget_table import lines
from bench.errors import Refused
from bench.scoring import System
from bench.settings import compose
from bench.shapley import shapley, subsets


def test_two_parts_by_hand():
    """a first: 6, then b adds 6; b first: 2, then a adds 10. a has (6 + 10) / 2, b (6 + 2) / 2."""
    worth = {frozenset(): 0, frozenset("a"): 6, frozenset("b"): 2, frozenset("ab"): 12}
    assert {k: float(v) for k, v in shapley("ab", worth.__getitem__).items()} == {"a": 8.0, "b": 4.0}


def test_the_glove_game_has_its_textbook_shares():
    """A left glove and two right ones, of which a pair is worth 1: two thirds for the left, a sixth for each right one."""
    found = shapley(["left", "r1", "r2"], lambda s: float("left" in s and len(s) > 1))
    assert [float(found[p]) for p in ("left", "r1", "r2")] == pytest.approx([2 / 3, 1 / 6, 1 / 6])


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_shares_add_up_and_are_linear(n):
    parts = list("abcd")[:n]
    draws = np.random.default_rng(n).normal(size=(2, 2**n, 5))
    at = {s: i for i, s in enumerate(subsets(parts))}
    one, other, both = (shapley(parts, lambda s, k=k: np.tensordot(k, draws[:, at[s]], 1)) for k in ([1, 0], [0, 1], [1, 1]))
    assert np.allclose(sum(one.values()), draws[0, -1] - draws[0, 0])
    assert all(np.allclose(one[p] + other[p], both[p]) for p in parts)


def test_a_part_that_changes_nothing_has_no_share():
    found = shapley("abc", lambda s: 3.0 * ("a" in s) + 5.0 * ("b" in s))
    assert [float(v) for v in found.values()] == pytest.approx([3, 5, 0])


@pytest.fixture
def systems(tmp_path):
    """Two parts; Onset ACC of two barks and two bells. `a` costs the barks 0.4, `b` the bells 0.2, both together the barks 0.2 more."""
    made = {}
    for title in ("none", "a", "b", "a, b"):
        predicted = set(title.split(", "))
        bark = 0.9 - 0.4 * ("a" in predicted) - 0.2 * (predicted == {"a", "b"})
        bell = 0.8 - 0.2 * ("b" in predicted)
        folder = tmp_path / title
        folder.mkdir()
        id = "onset_acc.condfoley"
        rows = [(c, 0, id, v, "ok") for c, v in zip("wxyz", (bark, bark, bell, bell), strict=True)]
        pd.DataFrame(rows, columns=["clip", "sample", "metric", "value", "status"]).to_csv(folder / "rows.csv", index=False)
        scores = {id: {"value": (bark + bell) / 2, "n": 4}, "fid.lab": {"value": 10 + 2.0 * len(predicted - {"none"}), "n": 4}}
        left = [scores["fid.lab"]["value"] + d for d in (-0.1, 0.1, 0.0, 0.0)]
        (folder / "without.json").write_text(json.dumps({"fid.lab": left}))
        made[title] = System(title, scores, folder)
    return made


def test_shares_by_metric_and_class_are_those_by_hand(systems):
    labels = {"w": "bark", "x": "bark", "y": "bell", "z": "bell"}
    found = shared("pair", ("a", "b"), systems, labels)
    of = {(s.metric, s.label, s.part): s.value for s in found.shares}
    onset = "onset_acc.condfoley"
    assert of[onset, "bark", "a"] == pytest.approx(-0.5) and of[onset, "bark", "b"] == pytest.approx(-0.1)
    assert of[onset, "bell", "a"] == pytest.approx(0) and of[onset, "bell", "b"] == pytest.approx(-0.2)
    assert of[onset, "", "a"] == pytest.approx(-0.25) and of[onset, "", "b"] == pytest.approx(-0.15)
    assert of["fid.lab", "", "a"] == of["fid.lab", "", "b"] == pytest.approx(2)
    assert found.gap(onset).value == pytest.approx(-0.4) and found.gap(onset, "bark").true == pytest.approx(0.9)
    said = "\n".join(lines(found))
    assert "Onset ACC: a costs most, 62% of the gap" in said
    assert found.gap("fid.lab", "bark") is None


def test_clips_without_a_label_count_in_the_whole_alone(systems):
    found = shared("pair", ("a", "b"), systems, {"w": "bark"})
    assert found.labels == ["bark"] and found.gap("onset_acc.condfoley", "bark").n == 1


def test_all_sets_of_parts_are_run_and_the_outer_ones_are_those_of_bench_run():
    x = compose("control=melqcd")[0]
    found = variants(x)
    assert len(found) == 8
    assert found[frozenset()].predicted == "none" and found[frozenset(x.control.heads())].predicted == "all"
    assert found[frozenset({"energy", "code"})].heads == ("code", "energy")


@pytest.mark.parametrize("control", ["none", "oracle", "clip"])
def test_a_control_without_parts_is_refused(control):
    with pytest.raises(Refused, match="predicts nothing"):
        variants(compose(f"control={control}")[0])


def test_a_control_with_too_many_parts_is_refused(monkeypatch):
    x = compose("control=melqcd")[0]
    monkeypatch.setattr(type(x.control), "heads", lambda self: dict.fromkeys("abcdef"[: MOST + 1]))
    with pytest.raises(Refused, match="at most 4 heads"):
        variants(x)
