"""Many paired differences of means at once: what `bench.stats.paired_means` says of one pair, for all pairs of a page in a second.

The draws are made once for a list of clips and used for every pair, so the work is one product of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats import CORRECTED, LEVEL, RESAMPLES, Difference, detectable

ROOM = 10**7  # numbers in one block of draws


def many_means(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> list[Difference]:
    """`first` minus `second` [pairs, clips], nan where a clip has no value: a line for each pair.

    p: swaps clip by clip, all 2^n of them where these are fewer than 10,000, as scipy.stats.permutation_test counts them. Interval:
    bootstrap over clips, bias-corrected and accelerated from 10 clips on (Efron 1987), percentile below and where that fails.
    """
    apart = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    there = np.isfinite(apart)
    made: list[Difference | None] = [None] * len(apart)
    by_clips: dict[bytes, list[int]] = {}
    for i, row in enumerate(there):
        by_clips.setdefault(row.tobytes(), []).append(i)
    for same in by_clips.values():
        some = apart[same][:, there[same[0]]]
        for i, one in zip(same, _differences(some, seed), strict=True):
            made[i] = one
    return [m for m in made if m is not None]


def _differences(apart: NDArray, seed: int) -> list[Difference]:
    """`apart` [pairs, n]: finite everywhere."""
    n = apart.shape[1]
    means = apart.mean(1) if n else np.full(len(apart), np.nan)
    if n < 2:
        return [Difference(float(m), None, None, None, n) for m in means]
    p, low, high = _swapped(apart, means, seed), *_interval(apart, means, seed)
    p[~apart.any(1)] = 1.0
    equal = np.ptp(apart, axis=1) == 0
    low[equal] = high[equal] = means[equal]
    return [
        Difference(float(means[i]), float(low[i]), float(high[i]), float(p[i]), n, detectable(apart[i]))
        for i in range(len(apart))
    ]


def _swapped(apart: NDArray, means: NDArray, seed: int) -> NDArray:
    """Two-sided p of each pair: how many swaps of systems, clip by clip, lead as far."""
    n = apart.shape[1]
    near = 1e-12 * np.abs(apart).max(1)  # swaps that give the same mean, but for rounding
    above, below, count = np.zeros(len(apart)), np.zeros(len(apart)), 0
    for signs in _signs(n, seed):
        drawn = signs @ apart.T / n
        above += (drawn >= means - near).sum(0)
        below += (drawn <= means + near).sum(0)
        count += len(signs)
    more = 0 if _all(n) else 1  # what was found counts as one of the random draws
    return np.minimum(1.0, 2 * (np.minimum(above, below) + more) / (count + more))


def _all(n: int) -> bool:
    return 2**n <= RESAMPLES


def _signs(n: int, seed: int) -> Iterator[NDArray]:
    """Swaps in blocks [draws, n] of -1 and 1."""
    if _all(n):
        yield 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
        return
    rng = np.random.default_rng(seed)
    for count in _counts(n):
        yield 1.0 - 2.0 * rng.integers(0, 2, (count, n), np.int8)


def _interval(apart: NDArray, means: NDArray, seed: int) -> tuple[NDArray, NDArray]:
    from scipy.special import ndtr, ndtri

    n, rng = apart.shape[1], np.random.default_rng(seed)
    drawn = np.concatenate([rng.multinomial(n, np.full(n, 1 / n), count) @ apart.T / n for count in _counts(n)])
    tails = np.tile([(1 - LEVEL) / 2, (1 + LEVEL) / 2], (len(apart), 1))
    if n >= CORRECTED:
        near = 1e-12 * np.abs(apart).max(1)
        score = ((drawn < means - near).mean(0) + (drawn <= means + near).mean(0)) / 2
        from_mean = apart - means[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            bias = ndtri(score)[:, None]
            speed = ((from_mean**3).sum(1) / (6 * (from_mean**2).sum(1) ** 1.5))[:, None]
            z = bias + ndtri(tails)
            corrected = ndtr(bias + z / (1 - speed * z))
        tails = np.where(np.isfinite(corrected).all(1, keepdims=True), corrected, tails)
    found = np.array([np.quantile(drawn[:, i], tails[i]) for i in range(len(apart))]).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _counts(n: int) -> Iterator[int]:
    at_once = max(1, ROOM // n)
    for done in range(0, RESAMPLES, at_once):
        yield min(at_once, RESAMPLES - done)
