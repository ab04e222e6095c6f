"""What stands beside a FID on request: the floor between halves of the real set, FD-infinity, and the kernel distance KID.

Conventions
    features: [clips, D] as for `frechet`; computed in float64. Draws are seeded: equal features give equal numbers.
    A FID grows as its clips get fewer. The floor says how large it is at N / 2 where nothing differs; FD-infinity extrapolates to endless
    clips; KID has no such bias.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.metrics.frechet import frechet

SPLITS = 20  # random halves of the real set
SIZES = 15  # numbers of clips through which the line of FD-infinity is drawn
REPEATS = 5  # random sets of each size
KERNEL = 3  # degree of KID's polynomial kernel (x . y / D + 1)^3


class Floor(NamedTuple):
    """mean, least and most of the FID between two halves of one set of `n` clips each."""

    value: float
    low: float
    high: float
    n: int


def split_half(features: ArrayLike, *, splits: int = SPLITS, seed: int = 0) -> Floor:
    """The FID between random halves of `features`: what a set that is as good as the real one would get at half the clips.

    Raises ValueError for fewer than four clips.
    """
    features = np.asarray(features, np.float64)
    half = len(features) // 2
    if half < 2:
        raise ValueError(f"halves need two clips each, got {len(features)} in all")
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(splits):
        order = rng.permutation(len(features))
        found.append(frechet(features[order[:half]], features[order[half : 2 * half]]))
    return Floor(float(np.mean(found)), min(found), max(found), half)


def at_half(real: ArrayLike, made: ArrayLike, *, splits: int = SPLITS, seed: int = 0) -> float:
    """The mean FID of random halves of the real clips against as many made from the others: comparable with `split_half`.

    real, made: rows of the same clips. Nothing of a clip stands on both sides, as in the floor.
    """
    real, made = np.asarray(real, np.float64), np.asarray(made, np.float64)
    if real.shape != made.shape:
        raise ValueError(f"one made clip for each real one is needed, got {real.shape} and {made.shape}")
    rng, half = np.random.default_rng(seed), len(real) // 2
    orders = (rng.permutation(len(real)) for _ in range(splits))
    return float(np.mean([frechet(real[o[:half]], made[o[half : 2 * half]]) for o in orders]))


def fd_infinity(real: ArrayLike, made: ArrayLike, *, sizes: int = SIZES, repeats: int = REPEATS, seed: int = 0) -> float:
    """FID extrapolated to endless clips: a line through FIDs over 1 / N for N from half to all of the clips, read at 1 / N = 0.

    Both sides are thinned alike, for both are small here. As Chong and Forsyth (CVPR 2020), who thin the made side alone. With
    N below D the line bends and the value is still too high: a tendency, not a distance.
    Raises ValueError for fewer than eight clips on a side.
    """
    real, made = np.asarray(real, np.float64), np.asarray(made, np.float64)
    most = min(len(real), len(made))
    if most < 8:
        raise ValueError(f"FD-infinity needs 8 clips on either side, got {most}")
    rng = np.random.default_rng(seed)
    counts = np.unique(np.linspace(most // 2, most, sizes).round().astype(int))
    x, y = [], []
    for n in counts:
        for _ in range(repeats):
            x.append(1 / n)
            y.append(frechet(rng.permutation(real)[:n], rng.permutation(made)[:n]))
    slope, ahead = np.polyfit(x, y, 1)
    del slope
    return float(ahead)


def kid(real: ArrayLike, made: ArrayLike) -> float:
    """The squared maximum mean discrepancy under a cubic kernel, unbiased: 0 on average for equal distributions, also negative.

    Over all pairs of clips at once (usual implementations draw blocks of 1,000). Source: Binkowski et al. 2018.
    """
    x, y = np.asarray(real, np.float64), np.asarray(made, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(f"two sets of features of one width and two clips or more are needed, got {x.shape} and {y.shape}")
    xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    within = sum((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (xx, yy))
    return float(within - 2 * xy.mean())


def _kernel(x: NDArray, y: NDArray) -> NDArray:
    return (x @ y.T / x.shape[1] + 1) ** KERNEL
