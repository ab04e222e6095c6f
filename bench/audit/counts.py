"""Percentages as counts: which k/N a printed share can be, for which N a whole column can be one, and what exact tests say of the counts.

Conventions
    A printed value is text such as "66.67"; `scale` is 100 for percentages, 1 for fractions. k runs from 0 to N.
    nearest     the printed value is k/N rounded to its last digit (a half may go either way)
    up, cut     it is k/N only if it was rounded up, or cut off
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from bench.stats import holm

Way = Literal["nearest", "up", "cut"]
SURE = 0.05  # p below which a difference is called one
FARTHEST = 2000  # clips up to which an N is looked for


@dataclass(frozen=True)
class Fit:
    """The printed value is `k` of N, rounded in this `way`."""

    k: int
    way: Way


def fit(text: str, n: int, scale: int = 100) -> Fit | None:
    """How `text` can be a share of `n`; None if it cannot. Exact arithmetic: no rounding of ours decides.

    >>> fit("65.34", 150)
    Fit(k=98, way='up')
    """
    digits = len(text.partition(".")[2])
    value, whole = int(text.replace(".", "")), scale * 10**digits
    if not 0 <= value <= whole:
        return None
    below = value * n // whole
    gaps = {k: whole * k - value * n for k in (below, below + 1) if k <= n}  # n times (k/n - value), in last digits
    for k in sorted(gaps, key=lambda k: abs(gaps[k])):
        if 2 * abs(gaps[k]) <= n:
            return Fit(k, "nearest")
    for k, gap in gaps.items():
        if -n < gap < n:
            return Fit(k, "up" if gap < 0 else "cut")
    return None


def by_chance(texts: Sequence[str], n: int, scale: int = 100) -> float:
    """The share of all values with as many digits that are k/n for some k: what a number that is no count would fit by mere chance."""
    digits = max((len(t.partition(".")[2]) for t in texts), default=0)
    return min(1.0, (n + 1) / (scale * 10**digits + 1))


def fitting(texts: Iterable[str], scale: int = 100, *, up: bool = False, farthest: int = FARTHEST) -> list[int]:
    """Every N up to `farthest` for which all of `texts` are k/N to the nearest digit (up: or rounded up), ascending.

    N that could fit by luck (expected number of such N: 0.05 or more) say nothing and are left out.
    """
    texts = list(dict.fromkeys(texts))
    allowed = {"nearest", "up"} if up else {"nearest"}
    found: list[int] = []
    for n in range(2, farthest + 1):
        if n * by_chance(texts, n, scale) ** len(texts) >= SURE:
            break
        if all((f := fit(t, n, scale)) is not None and f.way in allowed for t in texts):
            found.append(n)
    return found


def best_of_range(texts: Sequence[str], low: int, high: int, scale: int = 100) -> tuple[int, list[int]]:
    """(most values that any N from `low` to `high` fits to the nearest digit, the N that do)."""
    counts = {n: sum((f := fit(t, n, scale)) is not None and f.way == "nearest" for t in texts) for n in range(low, high + 1)}
    most = max(counts.values())
    return most, [n for n, count in counts.items() if count == most]


@cache
def fisher(first: int, second: int, n: int) -> float:
    """Two-sided exact p of `first` of n against `second` of n, unpaired (scipy.stats.fisher_exact)."""
    from scipy import stats

    found = stats.fisher_exact([[first, n - first], [second, n - second]])
    return float(found.pvalue)  # type: ignore[attr-defined]


def against(best: int, others: Sequence[int], n: int) -> list[tuple[float, float]]:
    """(p, p after Holm's correction) of `best` against each of `others`."""
    p = [fisher(best, k, n) for k in others]
    return [(one, float(both or 0.0)) for one, both in zip(p, holm(p), strict=True)]


def detectable(k: int, n: int) -> int | None:
    """The least number of clips by which another system must fall behind `k` of n for p < 0.05, unpaired; None if none is enough."""
    return next((k - other for other in range(k - 1, -1, -1) if fisher(k, other, n) < SURE), None)


def least_paired(n: int) -> int | None:
    """The least lead in clips with p < 0.05 in an exact test paired by clip, where the leader loses not a single one; None if n is too few.

    6 whatever n: twice 1/2^6 is 0.031, twice 1/2^5 is 0.063.
    """
    lead = next(d for d in range(1, 64) if 2 * 0.5**d < SURE)
    return lead if lead <= n else None
