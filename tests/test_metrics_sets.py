"""Fréchet distance, KL divergence, Class ACC and embedding similarity against stored answers and closed forms."""

import json

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import entropy

from bench.metrics.classes import agreement, index_of, indices, restricted, top1, topk
from bench.metrics.frechet import frechet
from bench.metrics.imagebind import cosine
from bench.metrics.kl import DEFINITIONS, kl

FRECHET = {  # stored inputs: where the golden stands
    "n64_d32": "n64_d32", "n64_n100_d32": "n64_n100_d32", "n20_d128_rankdef": "n20_d128_rankdef", "n2_d32": "n2_d32",
    "n500_d2048_rankdef": "n500_d2048_rankdef", "identical_n64_d32": "identical_n64_d32",
}  # fmt: skip
KL = {
    "softmax_eps": "f64_softmax_eps_recommended",
    "softmax_noeps": "scipy_entropy_noeps",
    "reversed": "reversed_KL_pred_gt_noeps",
    "sigmoid_posonly": "audioldm_sigmoid_eps_POS_TERM_ONLY",
    "sigmoid_posonly_noeps": "avbench_sigmoid_noeps_POS_TERM_ONLY",
    "bernoulli": "bernoulli_sigmoid_full",
}


def goldens(shared):
    return json.loads((shared / "goldens/metrics/formula_goldens.json").read_text())


def gaussian(rng, n, d):
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


@pytest.mark.parametrize("name", FRECHET)
def test_the_frechet_distance_is_the_golden_one(name, shared):
    stored = np.load(shared / f"goldens/metrics/formula_inputs_frechet_{name}.npz")
    expected = goldens(shared)["frechet"][name]["nuclear_svd_f64"]
    assert frechet(stored["x"], stored["y"]) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(50, 60, 8), (20, 90, 30), (30, 30, 30), (2, 2, 5)])
def test_both_routes_give_the_textbook_formula(n, m, d):
    rng = np.random.default_rng(n)
    x, y = gaussian(rng, n, d), gaussian(rng, m, d)
    s, t = np.cov(x.T), np.cov(y.T)
    root = sqrtm(s @ t).real
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * np.trace(root)
    # sqrtm of a product without full rank is good to the root of the rounding
    assert frechet(x, y) == pytest.approx(expected, rel=1e-9 if min(n, m) > d else 1e-5)


@pytest.mark.parametrize("n", [10, 100])
def test_closed_forms_of_the_frechet_distance(n):
    x = gaussian(np.random.default_rng(0), n, 20)
    assert frechet(x, x) == 0
    assert frechet(x, x + 3) == pytest.approx(20 * 9)
    mean, trace = (x.mean(0) ** 2).sum(), x.var(0, ddof=1).sum()
    assert frechet(x, 0.5 * x) == pytest.approx(0.25 * (mean + trace))
    assert frechet(x, 0 * x) == pytest.approx(mean + trace)  # columns without variance


@pytest.mark.parametrize("few", [1, 0])
def test_a_frechet_distance_needs_two_samples(few):
    with pytest.raises(ValueError, match=">= 2 samples"):
        frechet(np.zeros((few, 4)), np.zeros((5, 4)))


def test_features_that_are_not_finite_or_of_unlike_size_are_errors():
    x = np.zeros((3, 4))
    with pytest.raises(ValueError, match="row 1 of the second set"):
        frechet(x, np.where(np.arange(3)[:, None] == 1, np.nan, x))
    with pytest.raises(ValueError, match="4 and of 5 dimensions"):
        frechet(x, np.zeros((3, 5)))


@pytest.mark.parametrize("name", ["n64_c309", "n64_c309_peaky", "n64_c527"])
@pytest.mark.parametrize("definition", KL)
def test_the_divergence_is_the_golden_one(definition, name, shared):
    stored, golden = np.load(shared / f"goldens/metrics/formula_inputs_kl_{name}.npz"), goldens(shared)["kl"][name]
    assert kl(stored["gt"], stored["pred"], definition).mean() == pytest.approx(golden[KL[definition]], rel=1e-6)


@pytest.mark.parametrize("name", ["n64_c309", "n64_c309_peaky", "n64_c527"])
def test_audiocraft_s_directions_and_the_agreement_are_golden(name, shared):
    stored, golden = np.load(shared / f"goldens/metrics/formula_inputs_kl_{name}.npz"), goldens(shared)["kl"][name]
    there, back = kl(stored["gt"], stored["pred"]).mean(), kl(stored["pred"], stored["gt"]).mean()
    assert there == pytest.approx(golden["audiocraft_kld_pq_eps"], rel=1e-6)
    assert back == pytest.approx(golden["audiocraft_kld_qp_eps"], rel=1e-6)
    assert kl(stored["gt"], stored["pred"], "both").mean() == pytest.approx(there + back)
    same = np.mean([agreement(g, p)[0] for g, p in zip(stored["gt"], stored["pred"], strict=True)])
    assert same == golden["top1_agreement_argmax_pred_eq_argmax_gt"]


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_no_divergence_leaves_its_range(definition):
    logits = np.random.default_rng(0).normal(0, 400, (50, 309))  # as sure as float64 allows, and far beyond
    values = kl(logits, np.roll(logits, 1, 0), definition)
    assert np.isfinite(values).all()
    if definition == "softmax_eps":
        assert values.max() <= -np.log(1e-6) + 1e-9
    same = kl(logits, logits, definition)
    assert same == pytest.approx(0, abs=309 * 1e-6 * 2)
    if definition in ("softmax_noeps", "reversed", "bernoulli"):
        assert values.min() >= 0


def test_the_divergence_without_epsilon_is_scipy_s_entropy():
    p, q = np.random.default_rng(0).normal(size=(2, 9))
    soft = lambda x: np.exp(x) / np.exp(x).sum()  # noqa: E731
    assert kl(p, q, "softmax_noeps") == pytest.approx(entropy(soft(p), soft(q)))


def test_bad_logits_are_errors():
    good = np.zeros((2, 3))
    with pytest.raises(ValueError, match="generated side hold values that are not finite"):
        kl(good, np.where(np.eye(2, 3) > 0, np.nan, good))
    with pytest.raises(ValueError, match="no divergence 'softmax'"):
        kl(good, good, "softmax")
    with pytest.raises(ValueError, match="two or more classes"):
        kl(good, np.zeros((2, 4)))


def test_the_highest_logit_decides_and_of_equal_ones_the_lowest_index():
    logits = [0.0, 2.0, 2.0, 1.0, -1.0, -2.0, 1.5]
    assert [top1(logits, i)[0] for i in range(7)] == [0, 1, 0, 0, 0, 0, 0]
    assert [topk(logits, i, k=5)[0] for i in range(7)] == [1, 1, 1, 1, 0, 0, 1]
    assert restricted(logits, 3, [0, 3, 4]) == (1.0, "ok")
    assert top1(logits, None)[1] == restricted(logits, None, [0])[1] == "undefined"
    with pytest.raises(ValueError, match="finite"):
        top1([np.nan, 1.0], 0)


def test_labels_find_their_class_in_any_usual_spelling():
    known = indices(["playing cello", "playing violin, fiddle", "Train Whistling"])
    for label in ("playing violin, fiddle", "playing_violin__fiddle", "playing violin fiddle"):
        assert index_of(label, known) == 1
    assert index_of("train whistling", known) == 2
    assert index_of("unheard of", known) is None
    assert index_of(None, known) is None


def test_the_cosine_ignores_the_length_of_embeddings():
    a, b = np.array([3.0, 4.0]), np.array([20.0, 0.0])
    assert cosine(a, b) == (pytest.approx(0.6), "ok")
    assert cosine(a / 7, 20 * b)[0] == pytest.approx(0.6)
    assert cosine(a, -a)[0] == -1.0
    for bad in (np.zeros(2), np.array([np.nan, 1.0]), np.empty(0)):
        assert cosine(a, bad)[1] == cosine(bad, a)[1] == "undefined"
    with pytest.raises(ValueError, match="2 and of 3 dimensions"):
        cosine(a, np.ones(3))
