"""Two systems clip by clip: the values of every clip, and the paired difference with its interval and p-value."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from bench.report.cells import Cells, difference
from bench.report.spec import Form, RowSpec

MOST = 66  # pairs of systems that are tested, 12 systems with each other: a test of all metrics takes about a second
CLIPS = 2000  # values of one system and metric in the page; beyond it an even choice of clips is drawn, the tests count all


def compared(cells: Cells, systems: list[tuple[RowSpec, Form]]) -> tuple[list[dict[str, Any]], int]:
    """(differences of pairs of `systems` in every column that both have, how many pairs were not tested).

    Pairs of one form come first, then the forms of one row, then the rest. p is not corrected: the reader chose the pair.
    """
    pairs = list(combinations(range(len(systems)), 2))

    def near(pair: tuple[int, int]) -> int:
        (row, form), (other, another) = systems[pair[0]], systems[pair[1]]
        return 0 if form == another else 1 if row == other else 2

    pairs.sort(key=near)
    found = []
    for a, b in pairs[:MOST]:
        for column in cells.columns.values():
            first, second = (cells.cell(*systems[i], column) for i in (a, b))
            apart = difference(first, second)
            if apart is not None:
                told = {"value": apart.value, "low": apart.low, "high": apart.high, "p": apart.p, "n": apart.n}
                found.append({"a": a, "b": b, "metric": column.id, **told})
    return found, max(0, len(pairs) - MOST)
