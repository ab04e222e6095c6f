"""Exact Shapley values: how a change from none to all of a few parts is shared among them, whatever order they come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray

Part = frozenset[str]


def subsets(parts: Sequence[str]) -> Iterator[Part]:
    """Every set of `parts`, the empty one first, then by size and in their order: 2^n of them."""
    for size in range(len(parts) + 1):
        for chosen in combinations(parts, size):
            yield frozenset(chosen)


def shapley(parts: Sequence[str], worth: Callable[[Part], NDArray | float]) -> dict[str, NDArray]:
    """{part: its share}, the mean over all orders of what `worth` gains when the part joins those before it.

    worth(set): a number or an array (one per clip), of every set of parts. The shares add up to worth(all) - worth(none); a part that
    changes nothing has 0; parts that change the same have the same.

    >>> {k: float(v) for k, v in shapley("ab", lambda s: {0: 0.0, 1: 6.0 if "a" in s else 2.0, 2: 12.0}[len(s)]).items()}
    {'a': 8.0, 'b': 4.0}
    """
    n = len(parts)
    values = {chosen: np.asarray(worth(chosen), np.float64) for chosen in subsets(parts)}
    shares = {}
    for part in parts:
        share = np.zeros_like(values[frozenset()])
        for before in subsets([p for p in parts if p != part]):
            weight = factorial(len(before)) * factorial(n - len(before) - 1) / factorial(n)
            share = share + weight * (values[before | {part}] - values[before])
        shares[part] = share
    return shares
