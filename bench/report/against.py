"""The table of what a row costs beside the row that it departs from: differences paired by clip, for every form and metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.cells import Cell, Cells, Column, difference
from bench.report.marks import SURE, said
from bench.report.select import Group
from bench.report.spec import Form, RowSpec, Spec
from bench.report.table import DASH, Line, Shown, Table

if TYPE_CHECKING:
    from bench.stats import Difference


def differences(spec: Spec, group: Group, above: Sequence[str]) -> list[Table]:
    """One table of the rows that name another with `against`, each minus that one; none where no row does."""
    from bench.stats import holm

    rows, named = [r for r in spec.rows if r.against], {r.label: r for r in spec.rows}
    if not rows:
        return []
    cells = Cells(group, spec)
    columns = [(form, cells.columns[m]) for form in spec.forms for m in spec.metrics]
    places = [(row, form, column) for row in rows for form, column in columns]
    found = [_apart(cells, row, named[row.against], form, column) for row, form, column in places]
    ps = holm([apart.p if apart else None for apart, _ in found])
    shown, reasons = [], {}
    for (row, form, column), (apart, why), p in zip(places, found, ps, strict=True):
        shown.append(_shown(apart, why, p, form, column))
        if why and f"{row.label} ({form.name})" not in reasons.setdefault(why, []):
            reasons[why].append(f"{row.label} ({form.name})")
    wide = len(columns)
    lines = [Line(f"{r.label} minus {r.against}", r.by, shown[i * wide : (i + 1) * wide]) for i, r in enumerate(rows)]
    below = [
        "Columns: " + "; ".join(f"{c.metric.heading} is {c.id}, N {c.n}" for c in map(cells.columns.get, spec.metrics) if c) + "."
    ]
    below.append(
        f"In brackets: 95 % interval over clips. * A test paired by clip tells both apart (p < {SURE}, Holm over this table)."
    )
    below += [f"{DASH} {'; '.join(where)}: {why}" for why, where in reasons.items()]
    heads = [(form.name, column.metric.heading) for form, column in columns]
    return [Table("differences", f"{spec.title}: differences", heads, lines, list(above), below)]


def _apart(cells: Cells, row: RowSpec, other: RowSpec, form: Form, column: Column) -> tuple[Difference | None, str]:
    """(row minus other, why there is none)."""
    if any(r.only and form.name not in r.only for r in (row, other)):
        return None, ""
    own, beside = cells.cell(row, form, column), cells.cell(other, form, column)
    apart = difference(own, beside)
    return apart, "" if apart else own.why or beside.why or "no per-clip values"


def _shown(apart: Difference | None, why: str, p: float | None, form: Form, column: Column) -> Shown:
    if apart is None:
        return Shown(DASH, cell=Cell(why=why), form=form.name, column=column)
    between = (
        "" if apart.low is None or apart.high is None else f" [{said(apart.low, column, '+')}, {said(apart.high, column, '+')}]"
    )
    text = f"{said(apart.value, column, '+')}{'*' if p is not None and p < SURE else ''}{between}"
    return Shown(text, "", Cell(apart.value, apart.low, apart.high, apart.n), form.name, column)
