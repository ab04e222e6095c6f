"""Ablation curves: the numbers of a report over one setting, a line for each form."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from bench.report.cells import Cell, Cells
from bench.report.spec import MANY, Curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAR = 100  # times the least value of a setting from which its axis is logarithmic
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def curve(cells: Cells, asked: Curve) -> Figure | None:
    """A panel for each metric with the values of the rows over their setting `asked.x`; None where fewer than two rows have one."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = [cells.columns[m] for m in asked.metrics or cells.spec.metrics if cells.columns[m].n]
    lines = {
        (c.id, form.name): found for c in columns for form in cells.spec.forms if len(found := _line(cells, form, c, asked.x)) > 1
    }
    columns = [c for c in columns if any(id == c.id for id, _ in lines)]
    if not columns:
        return None
    wide = min(2, len(columns))
    high = -(-len(columns) // wide)
    figure = Figure(figsize=(5.2 * wide, 3.2 * high), layout="constrained")
    FigureCanvasAgg(figure)
    for i, column in enumerate(columns):
        axes, scale = figure.add_subplot(high, wide, i + 1), column.metric.scale
        for colour, form in zip(COLOURS * 9, cells.spec.forms, strict=False):
            points = lines.get((column.id, form.name), [])
            if not points:
                continue
            at = (
                [float(i) for i in range(len(points))]
                if any(isinstance(x, str) for x, _ in points)
                else [float(x) for x, _ in points]
            )
            value = [(cell.value or 0.0) * scale for _, cell in points]
            axes.plot(at, value, "o-", color=colour, label=form.name)
            for x, (_, cell) in zip(at, points, strict=True):
                if cell.low is not None and cell.high is not None:
                    axes.plot([x, x], [cell.low * scale, cell.high * scale], color=colour, lw=4, alpha=0.25)
            told = [str(x) for x, _ in points]
            if max(at) > FAR * min(at) > 0:  # numbers of codes: one scale for 6,561 and 2^74
                axes.set_xscale("log", base=2)
                told = [f"{x:,.0f}" if x < MANY else f"2^{log2(x):.0f}" for x in at]
            axes.set_xticks(at, told)
            axes.minorticks_off()
        axes.set_xlabel(asked.label or asked.x.removeprefix("experiment."))
        axes.set_ylabel(f"{column.metric.label}{f' ({column.metric.unit})' if column.metric.unit else ''}")
        axes.set_title(f"{column.metric.heading}, N {column.n}", fontsize=10, loc="left")
        axes.grid(color="0.92")
        axes.legend(fontsize=8, frameon=False)
    return figure


def _line(cells: Cells, form, column, path: str) -> list[tuple[float | str, Cell]]:
    """(setting, cell) of the rows that have both, in the order of the setting."""
    found: list[tuple[float | str, Cell]] = []
    for row in cells.spec.rows:
        cell = cells.cell(row, form, column)
        record = next((r for r in cells.group.records if r.id in cell.records), None)
        value = record.flat.get(path) if record is not None else None
        if row.ranked and value is not None and cell.value is not None:
            found.append((value if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value), cell))
    if any(isinstance(x, str) for x, _ in found):
        return [(str(x), cell) for x, cell in found]
    return sorted(found, key=lambda f: f[0])  # type: ignore[arg-type]
