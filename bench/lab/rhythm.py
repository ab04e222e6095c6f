"""When things happen: five rhythms that all classes share, so that rhythm does not tell the class."""

from __future__ import annotations

import numpy as np

APART = 0.18  # seconds between two events at least: four frames and a half
MOST = 8  # events of a clip


def times(rng: np.random.Generator, seconds: float) -> list[float]:
    """Onsets in seconds, 1 to 8, ascending, none within 0.12 s of the beginning or 0.2 s of the end."""
    first = 0.12 + min(rng.exponential(0.25), seconds / 3)
    gaps = _RHYTHMS[rng.integers(len(_RHYTHMS))](rng)
    found = first + np.concatenate([[0.0], np.cumsum(np.maximum(gaps, APART))])
    found = found[found < seconds - 0.2][:MOST]
    return [round(float(t), 5) for t in found] or [round(float(first), 5)]


def lengths(rng: np.random.Generator, begins: list[float], seconds: float) -> list[float]:
    """How long each lasts: 0.12 to 0.6 s, ending 0.06 s before the next begins and within the clip."""
    room = np.diff([*begins, seconds + 0.02]) - 0.06
    usual = rng.uniform(0.14, 0.5)
    drawn = usual * rng.uniform(0.7, 1.3, len(begins))
    return [float(x) for x in np.minimum(room, np.maximum(drawn, 0.12))]


def _regular(rng: np.random.Generator) -> np.ndarray:
    period = rng.uniform(0.24, 0.8)
    return period * (1 + 0.04 * rng.standard_normal(MOST))


def _irregular(rng: np.random.Generator) -> np.ndarray:
    return APART + rng.exponential(rng.uniform(0.15, 0.5), MOST)


def _sparse(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.8, 1.8, MOST)


def _drifting(rng: np.random.Generator) -> np.ndarray:
    """Faster and faster, like a ball left alone, or slower and slower."""
    return rng.uniform(0.3, 0.7) * rng.choice([0.72, 0.8, 0.87, 1.15, 1.3]) ** np.arange(MOST)


def _grouped(rng: np.random.Generator) -> np.ndarray:
    """Pairs or threes with pauses between."""
    gaps = np.full(MOST, rng.uniform(0.19, 0.3)) * rng.uniform(0.95, 1.05, MOST)
    every = int(rng.integers(2, 4))
    gaps[every - 1 :: every] = rng.uniform(0.55, 1.0)
    return gaps


_RHYTHMS = (_regular, _irregular, _sparse, _drifting, _grouped)
