"""The tables of a report: a narrow one (true, predicted, gap), a wide one for each form with all eight metrics, and the published block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.report.cells import Cell, Cells, Column, gap
from bench.report.costs import Cost, cost_of
from bench.report.marks import AGREE, SURE, Order, agreement, compared_gaps, orders, p_of, ranked_cells, said
from bench.report.select import Group
from bench.report.spec import Fact, Form, RowSpec, Spec, printed

WORLD = "Procedural world: not comparable with published values."
DASH = "–"


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
    for form in spec.forms:
        if any(cells.cell(row, form, column).value is not None for row in spec.rows for column in every):
            found.append(_wide(cells, form, every, order, costs, heading))
    return found


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
    forms = {f.name: f for f in spec.forms}
    heads = [
        (form, heading) for form in forms for heading in [*(f.heading for f in spec.facts), *(c.metric.heading for c in columns)]
    ]
    if spec.gap:
        heads += [(f"gap: {spec.gap[1]} minus {spec.gap[0]}", c.metric.heading) for c in columns]
    lines = []
    for row in spec.rows:
        shown = []
        for form in spec.forms:
            shown += [_fact(cells, row, form, fact) for fact in spec.facts]
            shown += [_shown(cells, row, form, column, order) for column in columns]
        if spec.gap:
            shown += [_gap(cells, row, (forms[spec.gap[0]], forms[spec.gap[1]]), column) for column in columns]
        lines.append(Line(row.label, row.by, shown, row.ranked))
    below = [*_below(cells, columns, list(forms.values()), order), *cells.group.left]
    if spec.gap:
        below.append("* The gap's 95 % interval, paired by clip, leaves out 0.")
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
    below = _below(cells, columns, [form], order)
    return Table(f"wide {form.name}", title, heads, lines, [*heading, "In brackets: 95 % interval over clips."], below)


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
        return Shown(text, {found.best: "best", found.second: "second"}.get(row.label, ""), cell, form.name, column)
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
    lost = gap(cells.cell(row, forms[0], column), cells.cell(row, forms[1], column))
    if lost.value is None:
        return Shown(DASH, cell=lost, form="gap", column=column)
    sure = lost.low is not None and lost.high is not None and not lost.low <= 0 <= lost.high
    return Shown(said(lost.value, column, "+") + ("*" if sure else ""), cell=lost, form="gap", column=column)


def _below(cells: Cells, columns: Sequence[Column], forms: Sequence[Form], order: list[Order]) -> list[str]:
    """Ids and N, gaps with their reasons, ties, and whether seeds agree."""
    spec = cells.spec
    lines = ["Columns: " + "; ".join(f"{c.metric.heading} is {c.id}, N {c.n}" for c in columns if c.n) + "."]
    lines += _gaps(cells, columns, forms)
    lines += [
        f"{row.label}: nothing is predicted, one value for every form." for row in spec.rows if row.merged and row.ranked and
        cells.records(row, forms[0])[0]
    ]  # fmt: skip
    mine = [o for o in order if o.form in forms and o.column in columns]
    if any(o.sure for o in mine):
        lines.append(
            f"Best bold, second underlined, where a test paired by clip (p < {SURE}, Holm over the table) tells them apart."
        )
    for o in mine:
        if not o.sure:
            why = p_of(o.p).removeprefix(", ") or "their per-clip values are lost"
            lines.append(
                f"{o.column.metric.label}, {o.form.name}: {o.best} is not told from {o.second}, so neither is marked ({why})."
            )
    return [*lines, *_seeds(cells, columns, forms)]


def _gaps(cells: Cells, columns: Sequence[Column], forms: Sequence[Form]) -> list[str]:
    """Each reason for which numbers are missing, or records left out of a mean, and where."""
    missing: dict[str, dict[str, dict[str, list[str]]]] = {}  # reason: row: form: metrics
    for row in cells.spec.rows:
        for form in (f for f in forms if not row.only or f.name in row.only):
            for column in columns:
                cell = cells.cell(row, form, column)
                for why in dict.fromkeys([cell.why] if cell.value is None else cell.left):
                    whose = row.label if column.n or why == "not run" else "every row"
                    found = missing.setdefault(why, {}).setdefault(whose, {}).setdefault(form.name, [])
                    found += [] if column.metric.label in found else [column.metric.label]
    return [
        f"{DASH} {'; '.join(f'{row} ({_where(of, columns, forms)})' for row, of in places.items())}: {why}"
        for why, places in missing.items()
    ]


def _where(of: dict[str, list[str]], columns: Sequence[Column], forms: Sequence[Form]) -> str:
    """`true, predicted: FID, MKL`; what is all of the table is not listed."""
    metrics = list(dict.fromkeys(m for found in of.values() for m in found))
    told = [] if len(of) == len(forms) > 1 else [", ".join(of)]
    told += [] if len(metrics) == len(columns) else [", ".join(metrics)]
    return ": ".join(told) or "every form"


def _seeds(cells: Cells, columns: Sequence[Column], forms: Sequence[Form]) -> list[str]:
    told = {}
    for form in forms:
        for column in columns:
            tau = agreement(ranked_cells(cells, form, column))
            if tau is not None:
                told[f"{column.metric.label} {form.name}"] = tau
    if not told:
        return ["One seed, or too few rows: whether seeds agree on the order was not checked."]
    lines = ["Kendall's tau between the seeds' orders (lowest pair): " + ", ".join(f"{k} {v:.2f}" for k, v in told.items()) + "."]
    low = [name for name, tau in told.items() if tau < AGREE]
    return lines + (
        [f"The seeds do not agree on the order (tau < {AGREE}): {', '.join(low)}. Do not read these ranks."] if low else []
    )
