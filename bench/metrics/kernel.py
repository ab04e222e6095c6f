"""Distances of two sets of features that small sets do not bias: KID, KAD and FD-infinity. Named apart from FID, never mixed with it.

Conventions
    features: [clips, D], any real type; computed in float64. The sets need neither pairing nor equal size. Lower is better.
Metrics
    kid(x, y)          squared MMD, unbiased, kernel (x.y / D + 1)^3 (Binkowski et al., 2018), over all clips at once: no random subsets
    kad(x, y)          squared MMD, unbiased, Gaussian kernel as wide as the median distance of two clips of x (Chung et al., 2025)
    fd_infinity(x, y)  the Fréchet distance that an endless y would have: a line through distances at growing N over 1 / N, read at 0
                       (Chong and Forsyth, 2020); x is used whole
kid and kad may be below 0 where the sets are alike: unbiased, not wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.metrics.frechet import _checked, frechet

SIZES = 8  # numbers of clips at which the line of FD-infinity is drawn, from a quarter of them to all
ROWS = 2000  # of a kernel matrix at once: 15,000 clips a side stay below half a gigabyte


def kid(x: ArrayLike, y: ArrayLike) -> float:
    """The unbiased squared MMD of two sets under the cubic kernel. Raises ValueError as `frechet` does."""
    x, y = _sides(x, y)
    return _mmd(x, y, lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3, lambda a: ((a**2).sum(1) / a.shape[1] + 1) ** 3)


def kad(x: ArrayLike, y: ArrayLike) -> float:
    """The same under a Gaussian kernel whose width is the median distance within x (real); nan where all of x is alike."""
    x, y = _sides(x, y)
    some = x[:: max(1, len(x) // ROWS)]
    width = float(np.median(_apart(some, some)[np.triu_indices(len(some), 1)]))
    if width == 0:
        return float("nan")
    return _mmd(x, y, lambda a, b: np.exp(-_apart(a, b) / (2 * width)), lambda a: np.ones(len(a)))


def fd_infinity(x: ArrayLike, y: ArrayLike, *, seed: int = 0) -> float:
    """What `frechet(x, y)` tends to as y grows: its value at 1 / N = 0 by least squares; nan for fewer than 2 * SIZES clips in y."""
    x, y = _sides(x, y)
    if len(y) < 2 * SIZES:
        return float("nan")
    order = np.random.default_rng(seed).permutation(len(y))
    sizes = np.linspace(len(y) // 4, len(y), SIZES).astype(int)
    found = [frechet(x, y[np.sort(order[:n])]) for n in sizes]
    _slope, value = np.polyfit(1 / sizes, found, 1)
    return float(value)


def _sides(x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
    x, y = _checked(x, "first"), _checked(y, "second")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"features of {x.shape[1]} and of {y.shape[1]} dimensions do not compare: one judge for both sides")
    return x, y


def _mmd(x: NDArray, y: NDArray, kernel, itself) -> float:
    """mean k(x, x') + mean k(y, y') - 2 mean k(x, y), no clip beside itself. itself: k(a, a) of each clip."""

    def total(a: NDArray, b: NDArray) -> float:
        return sum(float(kernel(a[i : i + ROWS], b).sum()) for i in range(0, len(a), ROWS))

    def alone(a: NDArray) -> float:
        return (total(a, a) - float(itself(a).sum())) / (len(a) * (len(a) - 1))

    return alone(x) + alone(y) - 2 * total(x, y) / (len(x) * len(y))


def _apart(a: NDArray, b: NDArray) -> NDArray:
    """Squared distances [len(a), len(b)]."""
    return np.clip((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0, None)
