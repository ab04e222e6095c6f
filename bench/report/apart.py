"""Two numbers of a table as one: how far they are apart, paired by clip and, where both have the same, by seed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bench.report.cells import Cell

if TYPE_CHECKING:
    from bench.stats import Difference


def difference(first: Cell, second: Cell, *, test: bool = True) -> Difference | None:
    """First minus second, clip by clip; None where nothing pairs them. test=False: without a p-value, which takes longest.

    The interval draws clips again and, where both have the same several seeds, seeds too, as that of a cell does; of set metrics
    clips alone. p is that of the means over seeds, by clip: seeds are not drawn again.
    """
    from bench.stats import Difference, crossed_interval, mean_interval, paired_means, paired_sets

    if first.value is None or second.value is None:
        return None
    if first.without is not None and second.without is not None:
        return paired_sets(first.value, second.value, first.without, second.without, n=first.n)
    if first.each is None or second.each is None:
        return None
    both = first.each.index.intersection(second.each.index)
    one, other = (each.loc[both].to_numpy(np.float64) for each in (first.each, second.each))
    a, b = one.mean(1), other.mean(1)
    if test:
        found = paired_means(a, b)
    else:
        found = Difference(float(np.mean(a - b)), *(mean_interval(a - b) or (None, None)), None, len(both))
    if first.runs > 1 and [*first.seeds] == [*second.seeds]:
        low, high = crossed_interval((one - other).T) or (None, None)
        found = replace(found, low=low, high=high)
    return found


def gap(first: Cell, second: Cell) -> Cell:
    """Second minus first, of the same seeds (`Cells.alike`), as a cell of its own: what is lost from true to predicted hints."""
    if first.value is None or second.value is None:
        return Cell(why=first.why or second.why)
    if first.records == second.records:
        return Cell(why="one value for both")
    found = difference(second, first, test=False)
    seeds = {s: value - first.seeds[s] for s, value in second.seeds.items() if s in first.seeds}
    low, high = (found.low, found.high) if found else (None, None)
    each = None
    if first.each is not None and second.each is not None and first.clips is not None and second.clips is not None:
        same = [*first.seeds] == [*second.seeds]
        each = (second.each - first.each if same else (second.clips - first.clips).to_frame(0)).dropna()
    paired = first.without is not None and second.without is not None and first.without.shape == second.without.shape
    without = second.without - first.without if paired else None  # type: ignore[operator]
    value = second.value - first.value
    return Cell(value, low, high, min(first.n, second.n), seeds, each=each, without=without)
