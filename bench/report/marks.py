"""What may be said about the order of rows: best and second where a paired test tells them apart, and whether seeds agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from bench.report.apart import difference, gap
from bench.report.cells import Cell, Cells, Column
from bench.report.spec import Form

SURE = 0.05  # a difference with a smaller p, corrected for all columns of the table, tells the best from the next
AGREE = 0.7  # Kendall's tau between seeds from which on ranks are worth discussing


@dataclass(frozen=True)
class Order:
    """The two best of one column, and the third where there is one.

    p, p_second: that best and second, second and third are alike; after Holm's correction over all forms and columns; None where
    rows are lost, p_second also where there is no third.
    """

    form: Form
    column: Column
    best: str
    second: str
    third: str
    p: float | None
    p_second: float | None

    @property
    def sure(self) -> bool:
        return self.p is not None and self.p < SURE

    @property
    def second_sure(self) -> bool:
        """Whether the second is told from the best and from the third."""
        return self.sure and (not self.third or (self.p_second is not None and self.p_second < SURE))


def orders(cells: Cells, columns: Sequence[Column]) -> list[Order]:
    """For each form and column with two ranked values or more: the best three and whether each can be told from the next, over the
    seeds that both have.
    """
    from bench.stats import holm

    found: list[tuple[Form, Column, list[str]]] = []
    ps: list[float | None] = []
    rows = {r.label: r for r in cells.spec.rows}
    for form in cells.spec.forms:
        for column in columns:
            ranked = ranked_cells(cells, form, column)
            if len(ranked) < 2:
                continue
            three = sorted(ranked, key=lambda label: _worse(ranked[label], column))[:3]
            found.append((form, column, [*three, ""][:3]))
            aparts = [difference(*cells.paired((rows[a], rows[b]), form, column)) for a, b in pairwise(three)]
            ps += [*(apart.p if apart else None for apart in aparts), None][:2]
    told = iter(holm(ps))
    return [Order(form, column, *three, p=next(told), p_second=next(told)) for form, column, three in found]


def ranked_cells(cells: Cells, form: Form, column: Column) -> dict[str, Cell]:
    """{label: cell} of the rows that take part in ranks and have a value; none where fewer than two have records of this form."""
    if sum(cells.own(r, form) for r in cells.spec.rows if r.ranked) < 2:
        return {}
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
            places = [(rows[x], form) for x in (a, b) for form in (first, second)]
            alike = cells.alike(places, column)
            lost = [gap(*alike[:2]), gap(*alike[2:])]
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
