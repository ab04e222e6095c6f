"""Tables of what a row costs beside the row that it departs from: differences paired by clip, a table for each form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.apart import difference
from bench.report.below import DASH, OVER
from bench.report.cells import Cell, Cells, Column
from bench.report.marks import SURE, said
from bench.report.select import Group
from bench.report.spec import Form, RowSpec, Spec
from bench.report.table import Line, Shown, Table

if TYPE_CHECKING:
    from bench.stats import Difference


def differences(spec: Spec, group: Group, above: Sequence[str]) -> list[Table]:
    """For each form the rows that name another with `against`, each minus that one; none where no two can be compared."""
    rows = [r for r in spec.rows if r.against]
    cells = Cells(group, spec)
    made = [_table(cells, form, [r for r in rows if not r.only or form.name in r.only], above) for form in spec.forms if rows]
    return [table for table in made if table]


def _table(cells: Cells, form: Form, rows: list[RowSpec], above: Sequence[str]) -> Table | None:
    from bench.stats import holm

    spec, named = cells.spec, {r.label: r for r in cells.spec.rows}
    columns = [cells.columns[m] for m in spec.metrics]
    places = [(row, column) for row in rows for column in columns]
    found = [_apart(cells, row, named[row.against], form, column) for row, column in places]
    if not any(apart for apart, _ in found):
        return None
    ps = holm([apart.p if apart else None for apart, _ in found])
    shown = [_shown(apart, why, p, form, c) for (_, c), (apart, why), p in zip(places, found, ps, strict=True)]
    lines = [Line(r.label, r.by, shown[i * len(columns) : (i + 1) * len(columns)]) for i, r in enumerate(rows)]
    from_which: dict[str, list[str]] = {}
    for row in rows:
        from_which.setdefault(row.against, []).append(row.label)
    minus = "; ".join(f"{', '.join(labels)} minus {other}" for other, labels in from_which.items())
    below = ["Columns: " + "; ".join(f"{c.metric.heading} is {c.id}, N {c.n}" for c in columns) + "."]
    below.append(
        f"In brackets: 95 % interval {OVER}. * A test paired by clip tells both apart (p < {SURE}, Holm over this table)."
    )
    whys = dict.fromkeys(why for _, why in found if why)
    for why in whys:
        without = dict.fromkeys(row.label for (row, _), (_, w) in zip(places, found, strict=True) if w == why)
        below.append(f"{DASH} {', '.join(without)}: {why}")
    title = f"{spec.title}: differences, {form.name}"
    heads = [(c.metric.group, c.metric.heading) for c in columns]
    return Table(f"differences {form.name}", title, heads, lines, [*above, f"Each row is a difference: {minus}."], below)


def _apart(cells: Cells, row: RowSpec, other: RowSpec, form: Form, column: Column) -> tuple[Difference | None, str]:
    """(row minus other over the seeds that both have, why there is none)."""
    own, beside = cells.paired((row, other), form, column)
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
