"""What a FID is where nothing differs: the floor between halves of one set. FD-infinity and KID stand in bench/metrics/kernel.py.

Conventions
    features: [clips, D] as for `frechet`; computed in float64. Draws are seeded: equal features give equal numbers.
    A FID grows as its clips get fewer. The floor says how large it is at N / 2 where nothing differs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bench.metrics.frechet import frechet

SPLITS = 20  # random halves of the real set


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
