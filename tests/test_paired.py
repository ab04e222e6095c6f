"""Many paired differences at once say what each says by itself."""

import numpy as np
import pytest

from bench.paired import many_means
from bench.stats import paired_means


@pytest.mark.parametrize("clips", [2, 9, 12])
def test_few_clips_are_swapped_in_all_ways_as_one_pair_by_itself(clips):
    first, second = np.random.default_rng(clips).integers(0, 3, (2, 5, clips)).astype(float)  # many swaps of equal means
    for made, a, b in zip(many_means(first, second), first, second, strict=True):
        alone = paired_means(a, b)
        assert made.value == pytest.approx(alone.value)
        assert made.p == pytest.approx(alone.p)
        assert (made.n, made.least) == (alone.n, pytest.approx(alone.least))


def test_many_clips_agree_with_one_pair_by_itself_within_the_draws():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 6, 150))
    first += np.linspace(0, 0.4, 6)[:, None]
    first[1], second[1] = random.exponential(size=(2, 150)) ** 2  # skewed: the correction matters
    first[2, 4:9] = np.nan
    for made, a, b in zip(many_means(first, second), first, second, strict=True):
        alone = paired_means(a, b)
        wide = alone.high - alone.low
        assert made.value == pytest.approx(alone.value)
        assert made.n == alone.n
        # 9,999 draws on either side: p by three standard errors of their difference, ends by 4 % of the interval
        assert abs(made.p - alone.p) < 3 * np.sqrt(2 * max(alone.p, 1e-3) / 9999)
        assert abs(made.low - alone.low) < 0.04 * wide
        assert abs(made.high - alone.high) < 0.04 * wide


def test_equal_systems_and_missing_clips_have_no_p_that_claims_something():
    nan = float("nan")
    same, shifted, one, none = many_means(
        [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, nan, nan], [nan, nan, nan]],
        [[1.0, 2.0, 3.0], [0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [0.0] * 3],
    )
    assert (same.value, same.low, same.high, same.p, same.n) == (0.0, 0.0, 0.0, 1.0, 3)
    assert (shifted.value, shifted.low, shifted.high, shifted.p) == (1.0, 1.0, 1.0, pytest.approx(0.25))
    assert (one.value, one.low, one.p, one.n) == (1.0, None, None, 1)
    assert (none.p, none.n) == (None, 0)
