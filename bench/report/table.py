"""The tables of a report: a narrow one (true, predicted, gap), a wide one for each form with all eight metrics, and the published block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.report.apart import gap
from bench.report.below import DASH, OVER, below_of
from bench.report.cells import Cell, Cells, Column
from bench.report.costs import Cost, cost_of, told
from bench.report.marks import Order, compared_gaps, orders, p_of, said
from bench.report.select import Group
from bench.report.spec import Fact, Form, RowSpec, Spec, printed

WORLD = "Procedural world: not comparable with published values."


@dataclass(frozen=True)
class Shown:
    """A cell as it is printed. mark: best, second or nothing; form and column say which number it is."""

    text: str
    mark: str = ""
    cell: Cell | None = None
    form: str = ""
    column: Column | None = None
    tie: str = ""  # from which row this one, one of the two best, is not told apart


@dataclass(frozen=True)
class Line:
    label: str
    by: str
    cells: list[Shown]
    ranked: bool = True


@dataclass(frozen=True)
class Table:
    """columns: (group, heading) of each. above: lines of the heading; below: what must be said about the numbers."""

    name: str  # of files and of csv rows
    title: str
    columns: list[tuple[str, str]]
    lines: list[Line]
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)


def tables(spec: Spec, group: Group) -> list[Table]:
    """The tables of one group of records: narrow, and wide in each form that has a value."""
    cells = Cells(group, spec)
    narrow = [cells.columns[m] for m in spec.metrics]
    every = list(cells.columns.values())
    order = orders(cells, every)
    heading = _heading(spec, group, cells)
    found = [_narrow(cells, narrow, order, heading)]
    costs = {row.label: cost_of(cells, row) for row in spec.rows}
    for form in shown_forms(cells):
        if any(cells.cell(row, form, column).value is not None for row in spec.rows for column in every):
            found.append(_wide(cells, form, every, order, costs, heading))
    return found


def shown_forms(cells: Cells) -> list[Form]:
    """The forms of which there are records; all where there are none."""
    spec = cells.spec
    return [form for form in spec.forms if any(cells.own(row, form) for row in spec.rows)] or [*spec.forms]


def published(spec: Spec) -> Table:
    """The values that others printed: a table of their own, unranked."""
    block = spec.published
    assert block is not None
    shown = [printed(spec.facts, m) for m in block.metrics]
    forms = list(dict.fromkeys(form for of in block.rows.values() for form in of))
    digits = [max(map(_digits, column)) for column in zip(*(v for of in block.rows.values() for v in of.values()), strict=True)]
    lines = []
    for row in spec.rows:
        if row.label in block.rows:
            told = block.rows[row.label]
            texts = [
                Shown(fact.said(v) if fact else f"{v:.{digits[i]}f}", cell=Cell(v, why="published"), form=form)
                for form in forms
                for i, (v, (_, fact)) in enumerate(zip(told.get(form, ()), shown, strict=True))
            ]
            lines.append(Line(row.label, row.by, texts))
    return Table("published", block.source.strip(), [(form, heading) for form in forms for heading, _ in shown], lines)


def _digits(value: float) -> int:
    """Digits after the point with which a value was written; what a column was printed with is the most of these."""
    return len(repr(value).partition(".")[2].removesuffix("0"))


def _heading(spec: Spec, group: Group, cells: Cells) -> list[str]:
    """What the numbers are about: world, clips, settings, seeds, judges."""
    first = next((r for r in group.records if r.done), group.records[0])
    about = [WORLD] if group.rendered else []
    about.append(group.about)
    every = [cells.cell(row, form, column) for row in spec.rows for form in spec.forms for column in cells.columns.values()]
    runs = sorted({cell.runs for cell in every if cell.value is not None})
    judges = ", ".join(str(j.get("is", j)) for j in first.flat.get("experiment.judges", []) if isinstance(j, dict))
    judges = judges or ", ".join(v for k, v in first.flat.items() if k.startswith("experiment.judges.") and k.endswith(".is"))
    about.append(f"Values are means over seeds (runs behind a value: {_range(runs)}); judges: {judges or '?'}")
    return about


def _range(numbers: Sequence[int]) -> str:
    return DASH if not numbers else f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _narrow(cells: Cells, columns: list[Column], order: list[Order], heading: list[str]) -> Table:
    spec = cells.spec
    forms = {f.name: f for f in shown_forms(cells)}
    gaps = tuple(forms[name] for name in spec.gap or () if name in forms)
    heads = [
        (form, heading) for form in forms for heading in [*(f.heading for f in spec.facts), *(c.metric.heading for c in columns)]
    ]
    if len(gaps) == 2:
        heads += [(f"gap: {gaps[1].name} minus {gaps[0].name}", c.metric.heading) for c in columns]
    lines = []
    for row in spec.rows:
        shown = []
        for form in forms.values():
            shown += [_fact(cells, row, form, fact) for fact in spec.facts]
            shown += [_shown(cells, row, form, column, order) for column in columns]
        if len(gaps) == 2:
            shown += [_gap(cells, row, gaps, column) for column in columns]
        lines.append(Line(row.label, row.by, shown, row.ranked))
    below = [*below_of(cells, columns, list(forms.values()), order), *cells.group.left]
    below += [f"{form.name}: not run for any row." for form in spec.forms if form.name not in forms]
    if len(gaps) == 2:
        below.append(
            f"* The 95 % interval of the gap, paired by clip and seed, leaves out 0. It is {OVER}; p is over clips alone, of the means "
            "over seeds."
        )
        below += compared_gaps(cells, columns)
    return Table("narrow", spec.title, heads, lines, heading, below)


def _wide(
    cells: Cells, form: Form, columns: list[Column], order: list[Order], costs: dict[str, Cost], heading: list[str]
) -> Table:
    spec = cells.spec
    heads = [(c.metric.group, c.metric.heading) for c in columns] + [("Signal", "bits/s"), ("Signal", "reals/s")]
    lines = []
    for row in spec.rows:
        shown = [_shown(cells, row, form, column, order, interval=True) for column in columns]
        lines.append(Line(row.label, row.by, [*shown, *(Shown(t) for t in costs[row.label].texts(form))], row.ranked))
    title = f"{spec.title}: {form.name}, all metrics"
    below = below_of(cells, columns, [form], order)
    below += [
        f"{label}: {c.given:.0f} real numbers a second are taken from the video, none is predicted."
        for label, c in costs.items()
        if c.given
    ]
    below += told(cells, form)
    return Table(f"wide {form.name}", title, heads, lines, [*heading, f"In brackets: 95 % interval {OVER}."], below)


def _shown(cells: Cells, row: RowSpec, form: Form, column: Column, order: list[Order], *, interval: bool = False) -> Shown:
    cell = cells.cell(row, form, column)
    if cell.value is None:
        return Shown(DASH, cell=cell, form=form.name, column=column)
    text = said(cell.value, column)
    if interval and cell.low is not None and cell.high is not None:
        text += f" [{said(cell.low, column)}, {said(cell.high, column)}]"
    found = next((o for o in order if o.form == form and o.column == column), None)
    if found is None or not row.ranked:
        return Shown(text, "", cell, form.name, column)
    if found.sure:
        mark = {found.best: "best", found.second: "second" if found.second_sure else ""}.get(row.label, "")
        unsure = row.label == found.second and not found.second_sure
        return Shown(text, mark, cell, form.name, column, f"not told from {found.third}{p_of(found.p_second)}" if unsure else "")
    other = {found.best: found.second, found.second: found.best}.get(row.label)
    return Shown(text, "", cell, form.name, column, f"not told from {other}{p_of(found.p)}" if other else "")


def _fact(cells: Cells, row: RowSpec, form: Form, fact: Fact) -> Shown:
    """The mean over the records of what they say at the fact's path; a dash where none says it."""
    values = [r.flat[fact.path] for r in cells.records(row, form)[0] if r.flat.get(fact.path) is not None]
    if not values:
        return Shown(DASH, form=form.name)
    mean = sum(values) / len(values)
    return Shown(fact.said(mean), cell=Cell(mean), form=form.name)


def _gap(cells: Cells, row: RowSpec, forms: tuple[Form, Form], column: Column) -> Shown:
    lost = gap(*cells.alike([(row, form) for form in forms], column))
    if lost.value is None:
        return Shown(DASH, cell=lost, form="gap", column=column)
    sure = lost.low is not None and lost.high is not None and not lost.low <= 0 <= lost.high
    return Shown(said(lost.value, column, "+") + ("*" if sure else ""), cell=lost, form="gap", column=column)
