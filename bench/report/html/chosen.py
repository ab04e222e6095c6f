"""Which clips stand behind a number: the best, the median and the worst of one record in one metric."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.report.cells import Cell, Cells, Column
from bench.report.select import Kept

ROLES = ("best", "median", "worst")


def values(cells: Cells, record: Kept, column: Column) -> pd.Series:
    """{clip: its value in the column}, higher is better or not as the metric says; of a set metric how much the clip adds to it.

    What a clip adds is the value of the set minus that without the clip; empty where several clips were left out together.
    """
    if column.metric.kind == "mean":
        return cells.per_clip(record, column.id)
    without, ids = cells.left_out(record, column.id), cells.clips_of(record)
    if len(without) != len(ids):
        return pd.Series(dtype=float)
    return pd.Series(record.told["scores"][column.id]["value"] - np.array(without, np.float64), ids)


def chosen(found: pd.Series, column: Column) -> list[tuple[str, str]]:
    """[(role, clip)]: best, median and worst; fewer where there are fewer clips. Clips of one value are taken in the order of their ids."""
    ranked = found.dropna().sort_index().sort_values(ascending=column.metric.better == "lower", kind="stable")
    at = dict(zip(ROLES, (0, len(ranked) // 2, len(ranked) - 1), strict=True))
    taken: dict[int, str] = {}
    for role, i in at.items():
        if 0 <= i < len(ranked):
            taken.setdefault(i, role)
    return [(role, str(ranked.index[i])) for i, role in sorted(taken.items())]


def first(cells: Cells, cell: Cell) -> Kept | None:
    """The record whose sound stands for a cell: that of the lowest seed."""
    found = [r for r in cells.group.records if r.id in cell.records]
    return min(found, key=lambda r: (str(r.seed), r.id)) if found else None


def spread(length: int, n: int) -> list[int]:
    """`n` positions of a list, evenly through it; all of a shorter one."""
    return list(range(length)) if length <= n else [int(i) for i in np.linspace(0, length - 1, n).round()]
