"""How alike two embeddings of one shared space are: IB-AA (real and generated sound) and IB-AV (video and generated sound).

Conventions
    embeddings: [D], the mean of a clip's views, not normalised again (a mean of unit vectors is shorter than one, and ImageBind's audio head
    multiplies by 20: a plain dot product would be wrong). Computed in float64.
    Value in [-1, 1], a fraction, higher is better; (nan, undefined) for an embedding of length zero, or not finite, or missing.
The paper's Table 1 prints the fraction, its Tables 3 and 7 print 100 times it. Source: metrics.md 6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Valued = tuple[float, str]  # value and status


def cosine(truth: ArrayLike, made: ArrayLike) -> Valued:
    """Cosine of the angle between two embeddings [D]; undefined for empty ones, which stand for "no such view"."""
    a, b = np.asarray(truth, np.float64).ravel(), np.asarray(made, np.float64).ravel()
    if not a.size or not b.size:
        return np.nan, "undefined"
    if a.shape != b.shape:
        raise ValueError(f"embeddings of {a.size} and of {b.size} dimensions are not of one space")
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    if not np.isfinite(lengths) or lengths == 0:
        return np.nan, "undefined"
    return float(np.clip(a @ b / lengths, -1, 1)), "ok"
