"""Two systems clip by clip: the values of every clip, and the paired difference with its interval and p-value."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report.apart import difference
from bench.report.cells import Cell, Cells, Column
from bench.report.spec import Form, RowSpec

if TYPE_CHECKING:
    from bench.stats import Difference

MOST = 190  # pairs of systems that are tested, 20 systems with each other
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
    for column in cells.columns.values():
        made = [cells.cell(*system, column) for system in systems]
        for (a, b), apart in _apart(made, pairs[:MOST], column):
            told = {"value": apart.value, "low": apart.low, "high": apart.high, "p": apart.p, "n": apart.n}
            found.append({"a": a, "b": b, "metric": column.id, **told})
    return found, max(0, len(pairs) - MOST)


def _apart(made: list[Cell], pairs: list[tuple[int, int]], column: Column) -> list[tuple[tuple[int, int], Difference]]:
    """(pair, its difference) of the pairs that can be compared in one column."""
    if column.metric.kind == "set":
        return [(pair, apart) for pair in pairs if (apart := difference(*(made[i] for i in pair))) is not None]
    import pandas as pd

    from bench.paired import many_means

    each = {i: cell.clips for i, cell in enumerate(made) if cell.value is not None and cell.clips is not None}
    mine = [pair for pair in pairs if all(i in each for i in pair)]
    if not mine:
        return []
    values = pd.DataFrame(each)
    sides = [np.stack([values[pair[k]].to_numpy(np.float64) for pair in mine]) for k in (0, 1)]
    return list(zip(mine, many_means(*sides), strict=True))
