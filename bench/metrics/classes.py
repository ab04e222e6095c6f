"""Whether a classifier hears the right class in a generated clip: Class ACC, from logits.

Conventions
    logits: [C]; index: the class's position in the classifier's list, None where the clip has no label or the classifier no such class.
    Each metric gives (value, status): 0.0 or 1.0 and ok, or nan and undefined. The mean over clips is a fraction, higher is better.
    Equal logits: the lowest index wins. The same on the real sound is the ceiling, and belongs beside every number.
Metrics
    top1        the label's logit is the highest: the default, inferred from the granularity of the paper's values (metrics.md 5)
    topk        the label is among the k highest
    restricted  the highest among the evaluation set's own classes
    agreement   generated and real sound have the same highest class; needs no labels
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Valued = tuple[float, str]  # value and status


def top1(logits: ArrayLike, index: int | None) -> Valued:
    """1 if class `index` has the highest logit."""
    return topk(logits, index, k=1)


def topk(logits: ArrayLike, index: int | None, *, k: int = 5) -> Valued:
    """1 if class `index` is among the `k` highest logits."""
    logits = _finite(logits)
    if index is None:
        return np.nan, "undefined"
    return float(index in np.argsort(-logits, kind="stable")[:k]), "ok"


def restricted(logits: ArrayLike, index: int | None, among: Iterable[int]) -> Valued:
    """1 if class `index` has the highest logit of the classes `among`."""
    logits = _finite(logits)
    if index is None:
        return np.nan, "undefined"
    allowed = np.array(sorted(set(among)))
    return float(allowed[np.argmax(logits[allowed])] == index), "ok"


def agreement(truth: ArrayLike, made: ArrayLike) -> Valued:
    """1 if the real and the generated clip have the same highest class. truth, made: logits [C]."""
    return float(np.argmax(_finite(truth)) == np.argmax(_finite(made))), "ok"


def index_of(label: str | None, classes: Mapping[str, int]) -> int | None:
    """The index of `label` in `classes` (made by `indices`); None for no label or one that the classifier does not know."""
    return None if label is None else classes.get(plain(label))


def indices(classes: Sequence[str]) -> dict[str, int]:
    """{plain spelling: position} of a classifier's class names, in the order of its outputs."""
    return {plain(name): i for i, name in enumerate(classes)}


def plain(label: str) -> str:
    """A label without what differs between lists: "playing violin, fiddle", "playing_violin__fiddle" and "playing violin fiddle" are one."""
    return " ".join(re.sub(r"[,_]", " ", label).casefold().split())


def _finite(logits: ArrayLike) -> NDArray:
    array = np.asarray(logits, np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"logits must be [classes] and finite, got shape {array.shape}")
    return array
