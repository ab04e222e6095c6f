"""Onset ACC and its relatives: known answers, the reference's edge cases, and other people's implementations."""

import json

import mir_eval
import numpy as np
import pytest
import soundfile
import torch
from sklearn.metrics import average_precision_score

from bench.metrics.onsets import RATE, Onsets, average_precision, confident, count_match, event_match, match, suppress
from melqcd.onset import onsets


def at(*seconds, sure=None):
    """Generated onsets at these times, each as loud as it is sure."""
    sure = np.linspace(0.5, 0.9, len(seconds)) if sure is None else np.asarray(sure, float)
    return Onsets(samples(*seconds), sure, sure)


def samples(*seconds):
    return np.round(np.array(seconds) * RATE).astype(int)


def noisy_onsets(seed):
    rng = np.random.default_rng(seed)
    draw = lambda n: np.sort(rng.choice(431, n, replace=False)) * 512  # noqa: E731
    truth, made = draw(rng.integers(1, 40)), draw(rng.integers(1, 40))
    return truth, Onsets(made, rng.integers(1, 20, len(made)) / 20, rng.random(len(made)))


def test_a_perfect_copy_scores_one_everywhere():
    found = match(samples(0.5, 1.0, 2.0), at(0.5, 1.0, 2.0))
    for value in (found.recall(), found.precision(), found.f1(), found.ap_detection(), found.ap_reference()):
        assert value == (1.0, "ok")


@pytest.mark.parametrize(("shift", "hit"), [(0.099, 1.0), (0.101, 0.0)])
def test_onsets_match_within_a_tenth_of_a_second(shift, hit):
    assert match(samples(1.0), at(1.0 + shift)).recall()[0] == hit
    assert match(samples(1.0), at(1.0 - shift)).recall()[0] == hit


def test_the_loudest_candidate_is_taken_not_the_nearest():
    assert match(samples(1.0), at(0.93, 1.01, sure=[0.9, 0.3])).partner.tolist() == [0]


def test_a_generated_onset_answers_one_real_onset_only():
    found = match(samples(1.0, 1.05), at(1.02))
    assert found.recall() == (0.5, "ok")
    assert found.precision() == (1.0, "ok")


def test_of_generated_onsets_closer_than_50_ms_the_surer_stays():
    assert suppress(at(1.0, 1.04, 1.08, sure=[0.2, 0.9, 0.3])).at.tolist() == samples(1.04).tolist()
    assert len(suppress(at(1.0, 1.051)).at) == 2


def test_the_real_onsets_are_never_suppressed():
    assert len(match(samples(1.0, 1.04), at(1.0)).partner) == 2


def test_a_clip_without_real_onsets_is_undefined_or_zero_as_asked():
    found = match(samples(), at(1.0))
    assert found.recall()[1] == found.precision()[1] == found.f1()[1] == found.ap_detection()[1] == "undefined"
    assert np.isnan(found.recall()[0])
    assert found.recall(zero_gt="zero") == found.ap_reference(zero_gt="zero") == (0.0, "ok")


def test_a_clip_without_generated_onsets_scores_zero_but_one_under_the_reference_s_precision():
    found = match(samples(1.0, 2.0), at())
    assert found.recall() == found.f1() == found.ap_detection() == (0.0, "ok")
    assert found.ap_reference() == (1.0, "ok")
    assert found.precision()[1] == "undefined"


def test_a_silent_clip_is_penalised():
    found = match(samples(1.0), at(), silent=True)
    assert found.recall() == found.precision() == found.f1() == found.ap_detection() == (0.0, "penalised")


def test_one_hit_of_fourteen_is_a_perfect_ap_to_the_reference_only():
    found = match(samples(*range(14)), at(0.0))
    assert found.ap_reference() == (1.0, "ok")
    assert found.ap_detection()[0] == pytest.approx(1 / 14)


def test_misses_after_the_last_generated_onset_are_unseen_by_the_reference_s_precision():
    truth, made = samples(0, 1, 2, 3), at(1.0, 2.0)
    labels, scores = [1, 1, 1], [0.0, 0.5, 0.9]  # the miss at 0 s, two hits; the miss at 3 s is not listed
    assert match(truth, made).ap_reference()[0] == pytest.approx(average_precision_score(labels, scores))


@pytest.mark.parametrize("where", [0, 500, 21_999, 22_000, 22_528])
def test_confidence_is_cut_at_the_ends_of_the_clip(where):
    wave = np.zeros(22_000, np.float32)
    wave[min(where, 21_999)] = -0.5
    found = confident(wave, [where])
    assert found.sure.tolist() == found.level.tolist() == [1.0]


def test_confidence_spans_zero_to_one_and_listens_50_ms_around():
    wave = np.zeros(RATE, np.float32)
    wave[[2000, 15_000]] = 0.25, -0.5
    found = confident(wave, [2000 + 1102, 2000 - 1102, 15_000])
    assert found.sure.tolist() == [0.5, 0.0, 1.0]  # [o - 1102, o + 1102): the first sample is in, the one past the end is not
    assert found.level.tolist() == [0.0, 0.0, 1.0]
    assert confident(wave, [2000], signed=True).level.tolist() == [1.0]
    assert confident(np.zeros(100), [10]).level.tolist() == [0.0]


@pytest.mark.parametrize("seed", range(30))
def test_average_precision_is_sklearn_s(seed):
    rng = np.random.default_rng(seed)
    labels, scores = rng.random(20) < 0.5, rng.integers(0, 6, 20) / 5
    labels[0] = True
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert average_precision([False, False], [0.1, 0.2]) == 0.0


@pytest.mark.parametrize("seed", range(30))
def test_event_match_is_mir_eval_s(seed):
    truth, made = noisy_onsets(seed)
    f1, precision, recall = mir_eval.onset.f_measure(truth / RATE, made.at / RATE, window=0.1)
    ours = event_match(truth, made.at)
    assert (ours["f1"][0], ours["precision"][0], ours["recall"][0]) == pytest.approx((f1, precision, recall), abs=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_the_matching_is_condfoleygen_s_step_by_step(seed):
    """An independent, literal walk through the rules of metrics.md 1.1, steps 4 to 6."""
    truth, made = noisy_onsets(seed)
    left = list(range(len(made.at)))
    kept = []
    while left:
        best = max(left, key=lambda i: (made.sure[i], i))
        kept.append(best)
        left = [i for i in left if i != best and abs(made.at[i] - made.at[best]) >= 0.05 * RATE]
    unused, hits = sorted(kept), 0
    for o in truth:
        near = [i for i in unused if abs(made.at[i] - o) < 0.1 * RATE]
        if near:
            unused.remove(max(near, key=lambda i: made.level[i]))
            hits += 1
    found = match(truth, made)
    assert found.made.at.tolist() == made.at[sorted(kept)].tolist()
    assert found.hits == hits
    assert found.recall()[0] <= event_match(truth, found.made.at)["recall"][0] + 1e-12


def test_counts_are_equal_or_not():
    assert count_match([1, 2], [3, 4]) == (1.0, "ok")
    assert count_match([1, 2], [3]) == (0.0, "ok")


def test_a_click_train_has_high_recall_and_low_precision():
    real = samples(*np.random.default_rng(0).uniform(0, 10, 12))
    found = match(np.sort(real), at(*np.arange(0, 10, 0.15)))
    assert found.recall()[0] > 0.9
    assert found.precision()[0] < 0.3


def test_onset_times_of_the_stored_sound_are_the_golden_ones(shared):
    wave, _ = soundfile.read(shared / "goldens/metrics/194394_0_gt_22050.wav", dtype="float32")
    golden = json.loads((shared / "goldens/metrics/sync_goldens.json").read_text())["clips"]["194394_0"]["gt_onsets_s"]
    (found,) = onsets(torch.from_numpy(wave)[None])
    np.testing.assert_allclose(found / RATE, golden, atol=1e-6)
    assert match(found, confident(wave, found)).recall()[0] == 1.0
