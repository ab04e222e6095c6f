"""A table of the report as the page's template wants it: texts, marks, what a cell says on focus, and which cells open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

from bench.report.cells import Cell, Column
from bench.report.marks import said
from bench.report.table import DASH, Line, Shown, Table

Opens = Callable[[Line, Shown], str | None]  # the name under which a cell's clips are in the page; None: it does not open


@dataclass(frozen=True)
class Td:
    text: str
    mark: str = ""  # best, second, tie or nothing
    tip: str = ""  # what it says on hover and focus
    value: float | None = None  # by which it is sorted
    opens: str | None = None


@dataclass(frozen=True)
class Tr:
    label: str
    by: str
    cells: list[Td]


@dataclass(frozen=True)
class Drawn:
    """groups: (heading, columns under it). bodies: ranked rows, then floor and ceilings. empty: blocks and rows without a number."""

    title: str
    above: list[str]
    below: list[str]
    groups: list[tuple[str, int]]
    heads: list[tuple[str, str]]  # heading, and which way is better: lower, higher or nothing
    bodies: list[list[Tr]]
    empty: list[str] = field(default_factory=list)
    published: bool = False


def drawn(table: Table, opens: Opens) -> Drawn:
    """`table` without the blocks of columns and the rows that hold no number; `empty` names them. Rows outside the ranks alone fill no block.

    bodies is empty where no ranked row has a number.
    """
    ranked = [line for line in table.lines if line.ranked] or table.lines
    there = {group for i, (group, _) in enumerate(table.columns) if any(_counts(line.cells[i]) for line in ranked)}
    shown = [i for i, (group, _) in enumerate(table.columns) if group in there]
    columns = [table.columns[i] for i in shown]
    bodies: list[list[Tr]] = [[], []]
    lost = []
    for line in table.lines:
        if not any(line.cells[i].cell is not None and _counts(line.cells[i]) for i in shown):
            lost.append(line.label)
            continue
        cells = [_td(line, line.cells[i], opens) for i in shown]
        bodies[0 if line.ranked else 1].append(Tr(line.label, line.by, cells))
    missing = list(dict.fromkeys(group for group, _ in table.columns if group not in there))
    empty = [f"No number yet: {', '.join(names)}" for names in (missing, lost) if names]
    groups = [(name, len(list(some))) for name, some in groupby(columns, key=lambda c: c[0])]
    heads = [(head, {"↓": "lower", "↑": "higher"}.get(head[-1:], "")) for _, head in columns]
    return Drawn(table.title, table.above, table.below, groups, heads, [b for b in bodies if b], empty, table.name == "published")


def _counts(shown: Shown) -> bool:
    """Whether there is a number in a cell: of a metric, or what a signal costs."""
    return shown.cell.value is not None if shown.cell is not None else shown.text != DASH


def _td(line: Line, shown: Shown, opens: Opens) -> Td:
    text = shown.text.partition(" [")[0]  # the interval is told on focus
    cell = shown.cell
    if cell is None:
        return Td(text, value=float(text) if text.replace(".", "", 1).isdigit() else None)
    mark = shown.mark or ("tie" if shown.tie else "")
    return Td(text, mark, tip(cell, shown.column, shown.tie), cell.value, opens(line, shown))


def tip(cell: Cell, column: Column | None, tie: str = "") -> str:
    """Metric id, N, interval and runs of a number, or why there is none."""
    if column is None:
        return cell.why
    if cell.value is None:
        return f"{column.metric.label}: {cell.why or 'no value'}"
    parts = [column.id, f"N {cell.n}"]
    if cell.low is not None and cell.high is not None:
        parts.append(f"95 %: {said(cell.low, column)} to {said(cell.high, column)}")
    if cell.runs:
        parts.append(f"{cell.runs} run{'s' * (cell.runs != 1)}")
    return " · ".join([*parts, *([tie] if tie else []), *dict.fromkeys(cell.left)])
