"""How sure a number is: intervals of means and of set statistics, and paired differences between two systems.

Conventions
    values: [clips], one number per clip (several samples of a clip averaged first); clips are what is drawn again, never samples.
    Intervals are (low, high) at 95 %, or None where there are too few clips. p-values are two-sided.
A set statistic (FID) gets a jackknife over blocks of clips: a percentile bootstrap of FID repeats clips and does not even contain the value.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 9999
CORRECTED = 10  # clips from which on the bootstrap is bias-corrected
ONE_BY_ONE = 200  # up to this many clips the jackknife leaves out one at a time
BLOCKS = 30  # beyond it, so many blocks
HELD = 10**7  # draws times clips up to which draws are kept for the next cell: 80 MB

Interval = tuple[float, float] | None


def mean_interval(values: ArrayLike, *, fraction: bool = False, level: float = LEVEL, seed: int = 0) -> Interval:
    """Interval of the mean of `values` [clips] by scipy.stats.bootstrap: bias-corrected and accelerated from 10 clips on, percentile below
    (few values have so few means that rounding decides the correction) and where the correction fails.

    fraction: the values lie in [0, 1]; if all are 0 or 1 they are counts, whose interval is exact (Clopper and Pearson): a
    bootstrap of "none of 3 clips" would claim certainty. Equal values have an interval of no width. None for fewer than two.
    """
    from scipy import stats

    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return None
    if fraction and np.isin(values, (0, 1)).all():
        exact = stats.binomtest(int(values.sum()), len(values)).proportion_ci(level)
        return float(exact.low), float(exact.high)
    if np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    for method in ("BCa", "percentile")[len(values) < CORRECTED :]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # BCa warns, and gives nan, where every draw is alike
            drawn = stats.bootstrap(
                (values,), np.mean, confidence_level=level, n_resamples=RESAMPLES, batch=max(1, 10**7 // len(values)),
                method=method, rng=np.random.default_rng(seed),
            ).confidence_interval  # fmt: skip
        if np.isfinite(drawn).all():
            return float(drawn.low), float(drawn.high)
    return None


def blocks(clips: int, *, seed: int = 0) -> list[NDArray]:
    """Which clips a jackknife leaves out together: each by itself up to 200 clips, 30 random blocks beyond. The same for the same count."""
    if clips <= ONE_BY_ONE:
        return [np.array([i]) for i in range(clips)]
    return [np.sort(b) for b in np.array_split(np.random.default_rng(seed).permutation(clips), BLOCKS)]


def replicates(statistic: Callable[[NDArray], float], clips: int, left_out: Sequence[NDArray]) -> NDArray:
    """`statistic(kept indices)` with each block left out: [blocks]."""
    return np.array([statistic(np.delete(np.arange(clips), block)) for block in left_out], np.float64)


def jackknife_interval(value: float, without: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Interval around `value` from the statistic without each block [blocks]: Student's t on the jackknife's standard error."""
    from scipy import stats

    error = jackknife_error(without)
    if error is None:
        return None
    reach = float(stats.t.ppf((1 + level) / 2, len(np.asarray(without)) - 1)) * error
    return value - reach, value + reach


def jackknife_error(without: ArrayLike) -> float | None:
    """Standard error of a statistic from its values without each block; None for fewer than three blocks or undefined values."""
    without = np.asarray(without, np.float64)
    if len(without) < 3 or not np.isfinite(without).all():
        return None
    return float(np.sqrt((len(without) - 1) * without.var()))


@dataclass(frozen=True)
class Difference:
    """First minus second of two systems on the same clips; `p` is the chance of one so large if the systems were alike.

    least: the smallest difference that this test finds four times in five at this N (`detectable`); None where nothing tells.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    n: int
    least: float | None = None


def paired_means(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> Difference:
    """The difference of two means over the same clips: a permutation test that swaps the systems clip by clip (scipy.stats).

    first, second: [clips]; clips in which either is nan are left out. All 2^n swaps where these are fewer than 10,000.
    """
    from scipy import stats

    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both], second[both]
    n = len(first)
    if n < 2:
        return Difference(float(np.mean(first - second)) if n else float("nan"), None, None, None, n)
    low, high = mean_interval(first - second, seed=seed) or (None, None)
    if np.array_equal(first, second):
        return Difference(0.0, low, high, 1.0, n)
    test = stats.permutation_test(
        (first, second), lambda a, b, axis=-1: (a - b).mean(axis), permutation_type="samples", vectorized=True,
        n_resamples=RESAMPLES, batch=max(1, 10**7 // n), rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Difference(float((first - second).mean()), low, high, float(test.pvalue), n, detectable(first - second))


def paired_sets(first: float, second: float, first_without: ArrayLike, second_without: ArrayLike, *, n: int) -> Difference:
    """The difference of a set statistic between two systems on the same `n` clips and blocks: the jackknife of the difference.

    The same blocks leave both, so what the reference and the clips have in common cancels.
    """
    from scipy import stats

    first_without, second_without = np.asarray(first_without, np.float64), np.asarray(second_without, np.float64)
    value = first - second
    if first_without.shape != second_without.shape:
        return Difference(value, None, None, None, n)
    apart = first_without - second_without
    error, interval = jackknife_error(apart), jackknife_interval(value, apart)
    if error is None or interval is None:
        return Difference(value, None, None, None, n)
    if not error:  # every block moves both alike: there is no spread to hold a difference against
        return Difference(value, None, None, 1.0 if value == 0 else None, n)
    p = float(2 * stats.t.sf(abs(value) / error, len(apart) - 1))
    return Difference(value, *interval, p, n, _reach(len(apart)) * error)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values, None where there is none: each may be compared with the error rate meant for all of them together."""
    there = sorted((v, i) for i, v in enumerate(p) if v is not None)
    adjusted: list[float | None] = [None] * len(p)
    highest = 0.0
    for rank, (value, i) in enumerate(there):
        highest = max(highest, min(1.0, (len(there) - rank) * value))
        adjusted[i] = highest
    return adjusted


def mismatched(clips: int, *, about: int = 1000, seed: int = 0) -> NDArray:
    """Pairs (i, j) of different clips for a chance level: [pairs, 2]. All of them where these are not more than `about`; otherwise
    rounds of a shuffled circle in which every clip stands once on either side, until there are about so many.
    """
    if clips * (clips - 1) <= about:
        return np.array([(i, j) for i in range(clips) for j in range(clips) if i != j], np.int64).reshape(-1, 2)
    order = np.random.default_rng(seed).permutation(clips)
    steps = np.random.default_rng(seed + 1).choice(np.arange(1, clips), min(clips - 1, -(-about // clips)), replace=False)
    return np.concatenate([np.stack([order, np.roll(order, -s)], 1) for s in np.sort(steps)])


def detectable(apart: ArrayLike, *, power: float = 0.8, level: float = LEVEL) -> float | None:
    """The smallest difference of means that a test paired by clip would find with probability `power`, at this N and this spread.

    apart: [clips], first minus second. By Student's t: (t(1 - alpha / 2) + t(power)) standard errors. None for fewer than two clips and
    where all differences are equal: no spread is known.
    """
    apart = np.asarray(apart, np.float64)
    if len(apart) < 2 or not apart.std():
        return None
    return _reach(len(apart), power=power, level=level) * float(apart.std(ddof=1) / np.sqrt(len(apart)))


def _reach(n: int, *, power: float = 0.8, level: float = LEVEL) -> float:
    """Standard errors that a difference must be wide to be found with probability `power` by Student's t of n - 1 degrees."""
    from scipy import stats

    return float(stats.t.ppf((1 + level) / 2, n - 1) + stats.t.ppf(power, n - 1))


def crossed_interval(values: ArrayLike, *, draws: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> Interval:
    """Interval of the mean of `values` [seeds, clips] where both levels are drawn again: seeds and, in each draw, clips, as a crossed design.

    Percentile: few seeds have no bias correction worth the name. With one seed it is the clips' alone. None for fewer than two clips.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        return None
    seeds, clips = values.shape
    drawn = _drawn if draws * clips <= HELD else _draw
    means = np.concatenate([((runs @ values) * some).sum(1) for runs, some in drawn(seeds, clips, draws, seed)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _drawn(seeds: int, clips: int, draws: int, seed: int) -> list[tuple[NDArray, NDArray]]:
    """`_draw` kept: a table asks for the same draws in each of its cells."""
    return list(_draw(seeds, clips, draws, seed))


def _draw(seeds: int, clips: int, draws: int, seed: int) -> Iterator[tuple[NDArray, NDArray]]:
    """How often each seed and each clip is drawn, as shares: ([some, seeds], [some, clips]) in blocks, for all at once may not fit."""
    rng = np.random.default_rng(seed)
    for first in range(0, draws, 1000):
        count = min(1000, draws - first)
        runs = rng.multinomial(seeds, np.full(seeds, 1 / seeds), count) / seeds
        yield runs, rng.multinomial(clips, np.full(clips, 1 / clips), count) / clips
