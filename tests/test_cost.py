"""What a signal costs: entropies with known answers, the stage that measures them on the train split, and the sentence."""

import csv
import json
from dataclasses import dataclass

import numpy as np
import pytest

from bench.context import Context
from bench.cost import entropy, head_entropy, nominal, predicted, sentence
from bench.ragged import RaggedWriter
from bench.stages.cost import cost
from controls import Control, load
from melqcd.heads import Head


def test_eight_codes_that_are_equally_frequent_cost_three_bits():
    assert entropy(np.full(8, 100), 8) == 3.0


def test_a_constant_costs_nothing():
    assert entropy(np.array([100, 0, 0]), 3) == 0.0


def test_a_rare_yes_costs_what_its_share_says():
    expected = -(0.1 * np.log2(0.1) + 0.9 * np.log2(0.9)) + 1 / (2 * 1000 * np.log(2))
    assert entropy(np.array([900, 100]), 2) == pytest.approx(expected, abs=1e-12)


def test_nothing_seen_is_unknown():
    assert np.isnan(entropy(np.zeros(4), 4))


def test_the_correction_takes_most_of_the_bias_away():
    """100 draws of 16 codes, 200 times: the plain estimate is 0.11 bits too low, the corrected one within 0.02."""
    rng = np.random.default_rng(0)
    share = np.array([0.4] + [0.04] * 15)
    true = -(share * np.log2(share)).sum()
    draws = [np.bincount(rng.choice(16, 100, p=share), minlength=16) for _ in range(200)]
    corrected = np.mean([entropy(d, 16) for d in draws])
    plain = np.mean([-(d[d > 0] / 100 * np.log2(d[d > 0] / 100)).sum() for d in draws])
    assert true - plain > 0.08
    assert abs(true - corrected) < 0.02


def test_groups_of_codes_add_up_and_scalars_have_none():
    values = np.stack([np.arange(800) % 8, np.zeros(800)], 1)
    assert head_entropy(Head("class", 8, n=2), values.astype(np.int32)) == 3.0
    assert head_entropy(Head("binary"), (np.arange(800)[:, None] % 2).astype(np.float32)) == 1.0
    assert head_entropy(Head("scalar"), values[:, :1]) is None


@pytest.mark.parametrize(
    ("name", "codes", "bits", "reals"),
    [
        ("melqcd", 6561, 12.6797, 2),
        ("onset", 2, 1.0, 0),
        ("energy", 1, 0.0, 1),
        ("lowres", 1, 0.0, 8),
        ("clip", 1, 0.0, 0),
    ],
)
def test_a_second_costs_its_slots(name, codes, bits, reals):
    told = nominal(load(name)(), 25.0)
    assert (told["codes"], told["reals_per_slot"]) == (codes, reals)
    assert told["bits_per_slot"] == pytest.approx(bits, abs=1e-4)
    assert told["bits_per_second"] == pytest.approx(25 * bits, abs=1e-2)


def test_codes_that_come_at_a_rate_of_their_own_cost_no_more_at_finer_slots():
    for rate in (25.0, 100.0):
        told = nominal(load("encodec")(codebooks=2), rate)
        assert (told["slots_per_second"], told["bits_per_second"]) == (25.0, 1500.0)
    assert nominal(load("onset")(), 100.0)["bits_per_second"] == 100.0
    assert nominal(load("encodec")(), 12.5)["bits_per_second"] == 12.5 * 30


def test_how_well_a_head_is_predicted_is_said_beside_what_a_constant_reaches():
    assert (
        predicted("code", {"acc": 0.25, "chance": 0.17, "sim": 0.6})
        == "predictor of code: ACC 25.0% (majority class 17.0%), Sim 0.600"
    )
    assert predicted("energy", {"rmse": 0.05, "of_the_mean": 0.07}) == "predictor of energy: error 0.0500 (of the mean 0.0700)"
    told = {"acc": 0.92, "chance": 0.93, "f1": 0.5, "f1_chance": 0.13, "threshold": 0.7, "chosen_on": "val"}
    said = "predictor of onset: ACC 92.0% (majority class 93.0%), F1 0.500 (always yes 0.130)"
    assert predicted("onset", told) == said
    assert (
        predicted("onset", told | {"chosen_on": "train"}) == f"{said}, its threshold chosen on training clips, for val has no yes"
    )


@dataclass(frozen=True)
class Dice(Control):
    """A die, an answer, a number, and three more that nobody predicts."""

    carries = ("more",)

    def heads(self):
        return {"die": Head("class", 8), "answer": Head("binary"), "number": Head("scalar")}

    def extract(self, batch):
        raise NotImplementedError

    def render(self, signal, scale):
        raise NotImplementedError


@pytest.fixture
def dice(tmp_path):
    """A clip of train with every die as often, one of test that is constant and must not count."""
    truth, clips = tmp_path / "truth", tmp_path / "clips"
    truth.mkdir()
    clips.mkdir()
    with open(clips / "clips.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([["id", "split", "label", "seconds", "video"], ["a", "train", "", 1, ""], ["b", "test", "", 1, ""]])
    (clips / "facts.json").write_text(json.dumps({"rate": 16000, "root": str(tmp_path)}))
    at = np.arange(80)[:, None]
    for name, dtype, values in (("die", "int32", at % 8), ("answer", "float32", at % 2), ("number", "float32", at / 80)):
        with RaggedWriter(truth, name, dtype=dtype, tail=(1,)) as writer:
            writer.add("a", values)
            writer.add("b", np.zeros_like(values))
    with RaggedWriter(truth, "more", dtype="float16", tail=(3,)) as writer:
        writer.add("a", np.zeros((80, 3)))
    return truth, clips


def test_the_true_stream_is_measured_on_train(dice, tmp_path):
    cost(tmp_path, tmp_path, Context(quiet=True), Dice(), *dice)
    told = json.loads((tmp_path / "cost.json").read_text())
    assert told["entropy"] == {"die": 3.0, "answer": 1.0, "number": None}
    assert (told["entropy_per_slot"], told["slots"], told["carried"]) == (4.0, 80, {"more": 3})


def test_the_cost_is_told_in_words(dice, tmp_path):
    cost(tmp_path, tmp_path, Context(quiet=True), Dice(), *dice)
    facts = nominal(Dice(), 25.0) | {"measured": json.loads((tmp_path / "cost.json").read_text())}
    assert sentence(facts) == (
        "16 codes: 4 bits a slot, 100 a second; measured on 80 training slots: 4 bits a slot, 100 a second; "
        "1 real a slot; 3 reals a slot that nobody predicts"
    )
    assert sentence(nominal(load("none")(), 25.0)) == "nothing"
