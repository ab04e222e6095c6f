"""How much later one sound is than another: the lag at which their onset strength curves agree best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

WITHIN_S = 0.5  # lags looked at, either way
CURVE = "flux_lin"


def lag(first: ArrayLike, second: ArrayLike, *, rate_hz: float, within_s: float = WITHIN_S) -> float:
    """Seconds by which the curve `second` [frames] is later than `first`: where their correlation is greatest. NaN if either is flat.

    The correlation is that of the frames both curves have at a lag, each less its mean over them, so that silence before a sound that
    was moved is not taken for a part of it.

    >>> lag([0, 0, 9, 0, 1, 0, 0, 0], [0, 0, 0, 0, 9, 0, 1, 0], rate_hz=10.0)
    0.2
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    size = min(len(a), len(b))
    a, b = a[:size], b[:size]
    furthest = min(round(within_s * rate_hz), size // 2)
    found = [
        (_correlation(a[max(0, -n) : size - max(0, n)], b[max(0, n) : size - max(0, -n)]), -abs(n), n) for n in _lags(furthest)
    ]
    best = max((f for f in found if np.isfinite(f[0])), default=None)
    return float("nan") if best is None else best[2] / rate_hz


def lags(first: Path, second: Path) -> dict[str, float]:
    """{clip: lag in seconds} of the clips that both folders of what the judge of timing heard have; clips without a lag are left out."""
    from bench.metrics.strength import CURVES
    from bench.ragged import Ragged

    one, other = (Ragged(folder, f"odf.{CURVE}") for folder in (first, second))
    found = {id: lag(one[id], other[id], rate_hz=CURVES[CURVE].rate_hz) for id in one if id in other}
    return {id: value for id, value in found.items() if np.isfinite(value)}


def _lags(furthest: int) -> range:
    return range(-furthest, furthest + 1)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else float("nan")
