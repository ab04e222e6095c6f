"""How far two sounds' activity lies apart in time: W-Dis and JS-Div of their onset strength curves (ODF), each read as a distribution.

Conventions
    truth, made: onset strength curves [frames], non-negative, any scale, at the same `rate_hz`; unequal ones are cut to the shorter.
    Each metric gives (value, status): ok; undefined (nan: the real curve sums to zero or fewer than two frames are left);
    penalised (the generated curve sums to zero: the worst value that is possible against this real curve).
Metrics
    w_dis          Wasserstein-1 distance along time, in seconds; lower is better; 0 to the clip's length.
    js_div         Jensen-Shannon divergence in nats (not its root, which scipy's `jensenshannon` gives); lower is better; 0 to ln 2.
    js_smooth50ms  the same after a Gaussian of 50 ms on both: forgives small shifts.
    w1_values      Wasserstein-1 distance between the two sets of raw values; time is ignored, the level is not. Lower is better, from 0.
Both W-Dis and JS-Div reward flat outputs: white noise beats another clip's sound, so their chance level belongs beside them.
The definition is derived and calibrated (metrics.md 2): the paper names no formula, and TiVA, where it comes from, has no public code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Valued = tuple[float, str]  # value and status

LN2 = float(np.log(2))
SMOOTH_S = 0.05  # standard deviation of js_smooth50ms


def transport(truth: ArrayLike, made: ArrayLike, *, rate_hz: float) -> float:
    """Wasserstein-1 distance in seconds between two onset strength curves, each taken as a distribution over time.

    truth, made: [frames]; each is divided by its sum. Raises ValueError for unlike lengths, values that are negative or not finite,
    or a curve of zeros, which has no distribution. Checked against scipy.stats.wasserstein_distance to 1e-9.

    >>> round(transport(np.eye(8)[2], np.eye(8)[5], rate_hz=10.0), 6)
    0.3
    """
    p, q = _distributions(truth, made)
    return float(np.abs(np.cumsum(p - q)[:-1]).sum()) / rate_hz


def divergence(truth: ArrayLike, made: ArrayLike) -> float:
    """Jensen-Shannon divergence in nats between two curves, each divided by its sum; 0 log 0 is 0. Errors as in `transport`."""
    from scipy.special import rel_entr

    p, q = _distributions(truth, made)
    middle = (p + q) / 2
    # rounding leaves some -1e-17 for equal curves
    return min(max(0.0, float(rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2), LN2)


def w_dis(truth: ArrayLike, made: ArrayLike, *, rate_hz: float) -> Valued:
    """W-Dis in seconds. A generated curve of zeros counts as if all its activity stood at the farther end of the clip."""
    p, q = _same_frames(truth, made)
    if len(p) < 2 or p.sum() == 0:
        return np.nan, "undefined"
    if q.sum() == 0:
        last = (len(p) - 1) / rate_hz
        centre = float((p / p.sum()) @ np.arange(len(p))) / rate_hz
        return max(centre, last - centre), "penalised"
    return transport(p, q, rate_hz=rate_hz), "ok"


def js_div(truth: ArrayLike, made: ArrayLike, *, smooth_frames: float = 0.0) -> Valued:
    """JS-Div in nats; ln 2 where the generated curve is zero. smooth_frames: standard deviation of a Gaussian put on both curves."""
    p, q = _same_frames(truth, made)
    if len(p) < 2 or p.sum() == 0:
        return np.nan, "undefined"
    if q.sum() == 0:
        return LN2, "penalised"
    if smooth_frames:
        from scipy.ndimage import gaussian_filter1d

        p, q = (gaussian_filter1d(curve, smooth_frames, mode="constant") for curve in (p, q))
    return divergence(p, q), "ok"


def js_smooth50ms(truth: ArrayLike, made: ArrayLike, *, rate_hz: float) -> Valued:
    """JS-Div in nats after a Gaussian of 50 ms on both curves."""
    return js_div(truth, made, smooth_frames=SMOOTH_S * rate_hz)


def w1_values(truth: ArrayLike, made: ArrayLike) -> Valued:
    """Wasserstein-1 distance between the values of two curves, in the curves' own unit. Undefined for fewer than two frames."""
    p, q = _same_frames(truth, made)
    if len(p) < 2:
        return np.nan, "undefined"
    return float(np.abs(np.sort(p) - np.sort(q)).mean()), "ok"


def _same_frames(truth: ArrayLike, made: ArrayLike) -> tuple[NDArray, NDArray]:
    p, q = np.asarray(truth, np.float64), np.asarray(made, np.float64)
    if p.ndim != 1 or q.ndim != 1:
        raise ValueError(f"onset strength curves are [frames], got shapes {p.shape} and {q.shape}")
    for curve in (p, q):
        if not np.isfinite(curve).all() or (curve < 0).any():
            raise ValueError("an onset strength curve holds values that are negative or not finite")
    frames = min(len(p), len(q))
    return p[:frames], q[:frames]


def _distributions(truth: ArrayLike, made: ArrayLike) -> tuple[NDArray, NDArray]:
    if np.shape(truth) != np.shape(made):
        raise ValueError(f"two curves of one length are needed, got shapes {np.shape(truth)} and {np.shape(made)}")
    p, q = _same_frames(truth, made)
    if p.sum() == 0 or q.sum() == 0:
        raise ValueError("a curve of zeros has no distribution over time")
    return p / p.sum(), q / q.sum()
