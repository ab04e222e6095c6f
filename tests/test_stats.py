"""Intervals that hold what they promise, tests that are right about what is known, chance pairs that are mismatched."""

import numpy as np
import pytest
from scipy import stats

from bench.metrics.frechet import frechet
from bench.stats import (
    blocks,
    detectable,
    holm,
    jackknife_error,
    jackknife_interval,
    mean_interval,
    mismatched,
    paired_means,
    paired_sets,
    replicates,
)


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(40):
        low, high = mean_interval(rng.exponential(1.0, 80), seed=seed)
        inside += low <= 1.0 <= high
    assert 33 <= inside <= 40  # 38 of 40 expected, a little less for a skewed distribution


def test_the_interval_is_the_same_each_time_and_close_to_student_s():
    values = np.random.default_rng(1).normal(3, 1, 200)
    low, high = mean_interval(values)
    assert (low, high) == mean_interval(values)
    expected = stats.t.interval(0.95, 199, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, abs=0.02)


def test_equal_values_have_no_width_and_one_value_has_no_interval():
    assert mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)
    assert mean_interval([2.0]) is None


def test_fractions_of_yes_and_no_have_exact_intervals():
    assert mean_interval(np.zeros(3), fraction=True) == pytest.approx((0, 0.7076), abs=1e-4)
    low, high = mean_interval(np.arange(150) < 97, fraction=True)
    assert (low, high) == pytest.approx((0.5648, 0.7226), abs=1e-3)  # the paper's 64.67 % of 150 clips


@pytest.mark.parametrize("values", [[0, 0, 0, 5.0], [1, 2.0], [0.0] * 30 + [1e-9]])
def test_few_or_lopsided_values_have_an_interval_around_their_mean(values):
    low, high = mean_interval(values)
    assert low <= np.mean(values) <= high


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=50)
    without = replicates(lambda kept: values[kept].mean(), 50, blocks(50))
    assert jackknife_error(without) == pytest.approx(stats.sem(values))
    low, high = jackknife_interval(values.mean(), without)
    assert (low, high) == pytest.approx(stats.t.interval(0.95, 49, values.mean(), stats.sem(values)))


def test_blocks_hold_every_clip_once():
    assert [len(b) for b in blocks(200)] == [1] * 200
    many = blocks(1001)
    assert len(many) == 30
    assert sorted(np.concatenate(many).tolist()) == list(range(1001))
    values = np.random.default_rng(0).normal(size=1001)
    assert jackknife_error(replicates(lambda kept: values[kept].mean(), 1001, many)) == pytest.approx(stats.sem(values), rel=0.35)


def test_the_interval_of_a_frechet_distance_holds_the_distance():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 100)), rng.normal(0.2, 1.1, (60, 100))
    value = frechet(x, y)
    low, high = jackknife_interval(value, replicates(lambda kept: frechet(x[kept], y[kept]), 60, blocks(60)))
    assert low < value < high
    assert high - low < value


def test_too_few_blocks_have_no_jackknife():
    assert jackknife_error([1.0, 2.0]) is None
    assert jackknife_interval(1.0, [1.0, np.nan, 2.0]) is None


def test_a_constant_difference_of_eight_clips_has_the_smallest_p_there_is():
    found = paired_means(np.arange(8.0) + 1, np.arange(8.0))
    assert (found.value, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 8)
    assert found.p == pytest.approx(2 / 2**8)  # all swaps are tried


def test_equal_systems_differ_by_nothing():
    values = np.random.default_rng(0).random(20)
    found = paired_means(values, values)
    assert (found.value, found.p) == (0.0, 1.0)


def test_the_paired_test_sees_what_an_unpaired_one_cannot():
    clips = np.random.default_rng(0).normal(0, 10, 100)
    first = clips + np.random.default_rng(1).normal(0.5, 0.5, 100)
    assert paired_means(first, clips).p < 0.001
    assert stats.ttest_ind(first, clips).pvalue > 0.5


def test_under_no_difference_p_is_uniform():
    rng = np.random.default_rng(0)
    small = sum(paired_means(*rng.normal(size=(2, 9)), seed=i).p < 0.2 for i in range(100))
    assert 9 <= small <= 32  # a fifth of 100, give or take three deviations


def test_clips_without_a_value_leave_both_sides():
    found = paired_means([1.0, np.nan, 3.0, 4.0], [0.0, 5.0, np.nan, 3.0])
    assert (found.n, found.value) == (2, 1.0)
    assert paired_means([np.nan], [1.0]).p is None


def test_two_systems_equally_far_from_the_reference_do_not_differ():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(80, 12))
    near, alike, far = (real + shift + 0.3 * rng.normal(size=real.shape) for shift in (0.1, 0.1, 0.6))
    left_out = blocks(80)
    values = [
        (frechet(real, s), replicates(lambda kept, s=s: frechet(real[kept], s[kept]), 80, left_out)) for s in (near, alike, far)
    ]
    same = paired_sets(values[0][0], values[1][0], values[0][1], values[1][1], n=80)
    worse = paired_sets(values[2][0], values[0][0], values[2][1], values[0][1], n=80)
    assert same.p > 0.05
    assert same.low <= 0 <= same.high
    assert worse.p < 1e-3
    assert worse.value > 0


def test_holm_is_the_step_down_of_bonferroni():
    assert holm([0.01, 0.04, 0.03, None]) == [pytest.approx(0.03), pytest.approx(0.06), pytest.approx(0.06), None]
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize("clips", [0, 1, 2, 3, 31, 33, 150, 2000])
def test_chance_pairs_never_match_and_use_every_clip_equally(clips):
    pairs = mismatched(clips)
    assert len(pairs) == (0 if clips < 2 else clips * (clips - 1) if clips <= 32 else -(-1000 // clips) * clips)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert len({tuple(p) for p in pairs.tolist()}) == len(pairs)
    for side in pairs.T:
        assert len(set(np.bincount(side, minlength=clips).tolist())) <= 1
    assert np.array_equal(pairs, mismatched(clips))


def test_without_spread_between_blocks_nothing_is_said_of_a_difference():
    apart = paired_sets(3.0, 1.0, [3.0] * 10, [1.0] * 10, n=100)
    assert (apart.value, apart.low, apart.high, apart.p) == (2.0, None, None, None)  # and not p = 0
    assert paired_sets(3.0, 3.0, [3.0] * 10, [3.0] * 10, n=100).p == 1.0


def test_a_constant_difference_does_not_make_every_difference_detectable():
    assert detectable([0.25] * 20) is None
    assert detectable([0.0, 1.0] * 10) == pytest.approx((2.0930 + 0.8610) * 0.51299 / 20**0.5, rel=1e-3)  # t of 19 degrees
