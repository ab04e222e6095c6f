"""What may be said about the order of rows: best and second where a paired test tells them apart, and whether seeds agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.report.cells import Cell, Cells, Column, difference, gap
from bench.report.spec import Form

SURE = 0.05  # a difference with a smaller p, corrected for all columns of the table, tells the best from the next
AGREE = 0.7  # Kendall's tau between seeds from which on ranks are worth discussing


@dataclass(frozen=True)
class Order:
    """The two best of one column."""

    form: Form
    column: Column
    best: str
    second: str
    p: float | None  # after Holm's correction over the columns of the table; None where rows are lost

    @property
    def sure(self) -> bool:
        return self.p is not None and self.p < SURE


def orders(cells: Cells, columns: Sequence[Column]) -> list[Order]:
    """For each form and column with two ranked values or more: the best two and whether they can be told apart, over the seeds that both
    have.
    """
    from bench.stats import holm

    found: list[tuple[Form, Column, str, str, float | None]] = []
    rows = {r.label: r for r in cells.spec.rows}
    for form in cells.spec.forms:
        for column in columns:
            ranked = ranked_cells(cells, form, column)
            if len(ranked) < 2:
                continue
            best, second = sorted(ranked, key=lambda label: _worse(ranked[label], column))[:2]
            apart = difference(*cells.paired((rows[best], rows[second]), form, column))
            found.append((form, column, best, second, apart.p if apart else None))
    return [Order(*f[:4], p) for f, p in zip(found, holm([f[4] for f in found]), strict=True)]


def ranked_cells(cells: Cells, form: Form, column: Column) -> dict[str, Cell]:
    """{label: cell} of the rows that take part in ranks and have a value."""
    every = {r.label: cells.cell(r, form, column) for r in cells.spec.rows if r.ranked}
    return {label: cell for label, cell in every.items() if cell.value is not None}


def _worse(cell: Cell, column: Column) -> float:
    assert cell.value is not None
    return cell.value if column.metric.better == "lower" else -cell.value


def agreement(ranked: Mapping[str, Cell]) -> float | None:
    """Kendall's tau between the orders of two seeds, the lowest of all pairs of seeds; None with one seed or fewer than three rows.

    Rows that lack a seed are compared in the seeds that they have.
    """
    from scipy import stats

    found: list = []
    for a, b in combinations(sorted({s for cell in ranked.values() for s in cell.seeds}, key=str), 2):
        both = [cell for cell in ranked.values() if a in cell.seeds and b in cell.seeds]
        if len(both) > 2:
            found.append(stats.kendalltau([c.seeds[a] for c in both], [c.seeds[b] for c in both])[0])
    known = [float(f) for f in found if np.isfinite(f)]
    return min(known) if known else None


def compared_gaps(cells: Cells, columns: Sequence[Column]) -> list[str]:
    """A line for each pair of rows and metric that the report asks for: whose gap is larger, with its paired interval."""
    spec, lines = cells.spec, []
    if spec.gap is None:
        return lines
    rows, forms = {r.label: r for r in spec.rows}, {f.name: f for f in spec.forms}
    first, second = (forms[name] for name in spec.gap)
    for a, b in spec.gaps:
        for column in columns:
            lost = [gap(cells.cell(rows[x], first, column), cells.cell(rows[x], second, column)) for x in (a, b)]
            told = f"{column.metric.label}, {spec.gap[0]} to {spec.gap[1]}"
            apart = difference(*lost)
            if apart is None or lost[0].value is None or lost[1].value is None:
                why = next((f"{x}: {c.why}" for x, c in zip((a, b), lost, strict=True) if c.why), "no per-clip values")
                lines.append(f"{told}: {a} and {b} cannot be compared ({why})")
                continue
            lines.append(f"{told}: {a} {said(lost[0].value, column, '+')}, {b} {said(lost[1].value, column, '+')}; "
                         f"{a} minus {b} {said(apart.value, column, '+')}{_between(apart, column)}{p_of(apart.p)}")  # fmt: skip
    return lines


def said(value: float, column: Column, sign: str = "") -> str:
    """A value as the table prints it."""
    rounded = round(value * column.metric.scale, column.metric.digits) + 0.0  # no minus before a zero
    return f"{rounded:{sign}.{column.metric.digits}f}"


def p_of(p: float | None) -> str:
    return "" if p is None else ", p < 0.001" if p < 0.001 else f", p = {p:.3f}"


def _between(apart, column: Column) -> str:
    return "" if apart.low is None else f" (95 %: {said(apart.low, column, '+')} to {said(apart.high, column, '+')})"
