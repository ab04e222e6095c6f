"""What stands beside a FID: floors on sets whose answers are known."""

import numpy as np
import pytest

from bench.metrics.distances import at_half, split_half
from bench.metrics.frechet import frechet
from bench.stats import crossed_interval, detectable, mean_interval


def normal(n, d=16, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (n, d))


def test_the_floor_is_what_two_halves_of_one_set_get():
    features = normal(80)
    found = split_half(features)
    assert found.n == 40 and 0 < found.low <= found.value <= found.high
    assert found.value == pytest.approx(
        np.mean([frechet(normal(40, seed=s), normal(40, seed=s + 100)) for s in range(20)]), rel=0.2
    )


def test_a_perfect_system_reaches_the_floor_at_half_its_clips():
    real = normal(80)
    assert at_half(real, real) == pytest.approx(split_half(real).value, rel=0.2)
    assert at_half(real, normal(80, seed=1, shift=1.0)) > 2 * split_half(real).value


def test_a_shift_is_all_between_the_means_and_a_wider_set_all_between_the_spreads():
    from bench.distances import _behind

    real = normal(80)
    moved = _behind("j", real, real + 2)
    assert (moved.means, moved.fid) == (pytest.approx(64), pytest.approx(64))  # 16 features, each 2 away
    wider = _behind("j", real, (real - real.mean(0)) * 2 + real.mean(0))
    assert wider.means == pytest.approx(0, abs=1e-9)
    assert wider.fid == pytest.approx(np.trace(np.cov(real.T)))  # tr(S + 4 S - 2 * 2 S)


def test_too_few_clips_are_refused():
    with pytest.raises(ValueError):
        split_half(normal(1))


def test_the_smallest_detectable_difference_is_found_four_times_in_five():
    from scipy import stats

    rng, n, spread = np.random.default_rng(0), 50, 2.0
    least = np.mean([detectable(rng.normal(0, spread, n)) for _ in range(20)])
    told = [stats.ttest_1samp(rng.normal(least, spread, n), 0).pvalue < 0.05 for _ in range(1000)]
    assert np.mean(told) == pytest.approx(0.8, abs=0.04)
    assert detectable([1.0]) is None
    assert detectable([1.0, 1.0, 1.0]) is None  # no spread is known, and 0 would promise that any difference is found


def test_seeds_are_a_second_level():
    rng = np.random.default_rng(0)
    clips = rng.normal(0, 1, 60)
    one = crossed_interval(clips[None])
    assert one == pytest.approx(mean_interval(clips), abs=0.05)
    same = crossed_interval(np.tile(clips, (3, 1)))
    apart = crossed_interval(clips + np.array([[-1.0], [0.0], [1.0]]))
    assert same == pytest.approx(one, abs=0.05)  # seeds that agree add nothing
    assert apart[1] - apart[0] > 1.5 * (same[1] - same[0])
    assert crossed_interval([[1.0]]) is None
