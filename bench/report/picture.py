"""The trade-off picture: what a signal costs against what it gives, an arrow from true to predicted hints, and the Pareto front."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.cells import Cell, Cells, Column
from bench.report.costs import cost_of
from bench.report.select import Group
from bench.report.spec import Spec
from bench.report.table import WORLD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# seven that stay apart in grey and for most colour-blind readers (after Okabe and Ito)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#555555")
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.75}  # of names, so that they can be read over lines


@dataclass(frozen=True)
class Point:
    """One signal in one panel: bits and reals a second, its cells by true and by predicted hints."""

    label: str
    colour: str
    bits: float
    reals: float
    true: Cell
    predicted: Cell


def pictures(spec: Spec, groups: Sequence[Group], out: Path) -> list[Path]:
    """The pictures of each group of records, as PNG and SVG: the trade-off where the report has a gap, and its curves over a setting."""
    import matplotlib

    from bench.report.curves import curve

    drawn: dict[str, Figure] = {}
    for n, group in enumerate(groups):
        tail = f"-{n + 1}" if n else ""
        if spec.gap and (figure := draw(spec, group)):
            drawn[f"{spec.name}-tradeoff{tail}"] = figure
        for i, asked in enumerate(spec.curves):
            if figure := curve(Cells(group, spec), asked):
                drawn[f"{spec.name}-curve{i + 1 if i else ''}{tail}"] = figure
    paths: list[Path] = []
    for stem, figure in drawn.items():
        # a fixed salt and no date: the same records give the same file
        with matplotlib.rc_context({"svg.hashsalt": spec.name, "svg.fonttype": "none"}):
            for suffix in ("png", "svg"):
                figure.savefig(out / f"{stem}.{suffix}", dpi=150, metadata={"Date": None} if suffix == "svg" else None)
                paths.append(out / f"{stem}.{suffix}")
    return paths


def draw(spec: Spec, group: Group) -> Figure | None:
    """A panel for each metric of the narrow table; None where no signal has a value in any."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    cells = Cells(group, spec)
    panels = [(column, points(cells, column)) for m in spec.metrics if (column := cells.columns[m]).n]
    panels = [(column, found) for column, found in panels if found]
    if not panels:
        return None
    wide = min(2, len(panels))
    high = -(-len(panels) // wide)
    figure = Figure(figsize=(7.2 * wide, 4.2 * high + 1.5))
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(high, wide, left=0.4 / wide / 2.4, right=0.985, top=1 - 0.75 / (4.2 * high + 1.5),
                               bottom=1.35 / (4.2 * high + 1.5), hspace=0.3, wspace=0.16)  # fmt: skip
    for i, (column, found) in enumerate(panels):
        _panel(figure, grid[i // wide, i % wide], cells, column, found)
    _legend(figure, {p.label: p for _, found in panels for p in found}.values())
    about = group.about + (f". {WORLD}" if group.rendered else "")
    told = textwrap.wrap(about, 100 * wide)[:3]  # as many lines as there is room for above the panels
    title = "Cost of a control signal against what it gives, from true to predicted hints"
    figure.suptitle("\n".join([title, *told]), fontsize=11 if len(told) == 1 else 9)
    return figure


def points(cells: Cells, column: Column) -> list[Point]:
    """The ranked rows that have a value and a cost."""
    spec = cells.spec
    assert spec.gap is not None
    first, second = (next(f for f in spec.forms if f.name == name) for name in spec.gap)
    found = []
    for i, row in enumerate(r for r in spec.rows if r.ranked):
        true, predicted = cells.cell(row, first, column), cells.cell(row, second, column)
        cost = next(iter(cost_of(cells, row).forms.values()), None)
        if cost and (true.value is not None or predicted.value is not None):
            found.append(Point(row.label, COLOURS[i % len(COLOURS)], *cost, true, predicted))
    return found


def front(found: Sequence[Point], column: Column) -> list[Point]:
    """The signals that no other one beats by predicted hints: as cheap in bits and in reals, as good, and better in one of them."""
    sign = 1 if column.metric.better == "lower" else -1
    there = [(p, (p.bits, p.reals, sign * p.predicted.value)) for p in found if p.predicted.value is not None]
    return [
        p for p, of in there if not any(o != of and all(a <= b for a, b in zip(o, of, strict=True)) for _, o in there)
    ]  # fmt: skip


def _panel(figure: Figure, place, cells: Cells, column: Column, found: list[Point]) -> None:
    """Two axes with one score: signals of real numbers alone on the left, signals with codes on the right."""
    inner = place.subgridspec(1, 2, width_ratios=(4, 5), wspace=0.04)
    left = figure.add_subplot(inner[0])
    right = figure.add_subplot(inner[1], sharey=left)
    metric, best = column.metric, front(found, column)
    for axes, mine, cost, name in (
        (left, [p for p in found if not p.bits], lambda p: p.reals, "real numbers a second (no codes)"),
        (right, [p for p in found if p.bits], lambda p: p.bits, "bits a second"),
    ):
        _axis(axes, [cost(p) for p in mine], name)
        at = _spread([cost(p) for p in mine])
        for p, x in zip(mine, at, strict=True):
            _signal(axes, p, x, column, p in best)
        line = sorted((cost(p), p.predicted.value) for p in best if p in mine and p.predicted.value is not None)
        if axes is right and len(line) > 1:
            axes.step(
                [x for x, _ in line], [y * metric.scale for _, y in line], where="post", color="0.6", ls=":", lw=1, zorder=1
            )
        _scale(axes, cells, column, labelled=axes is right)
    left.set_ylabel(f"{metric.label}{f' ({metric.unit})' if metric.unit else ''}, {metric.better} is better")
    right.tick_params(labelleft=False)
    left.margins(y=0.1)


def _axis(axes: Axes, at: list[float], name: str) -> None:
    """Logarithmic above 10, linear below, so that 0 has a place; ticks where signals are."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xscale("symlog", linthresh=10, linscale=0.5)
    axes.set_xlim(
        -4 if not at or min(at) < 100 else min(at) / 5, max([*at, 20]) * 3
    )  # on the left the names of floor and ceilings
    axes.xaxis.set_major_locator(FixedLocator(sorted({round(x) for x in at})))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0f}")
    axes.tick_params(axis="x", labelsize=8)  # 750 and 1500 bits stand close
    axes.set_xlabel(name)
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    if not at:
        axes.set_xticks([])


def _spread(at: list[float]) -> list[float]:
    """Where each is drawn: signals of one cost stand side by side."""
    return [x + (4 if x < 10 else 0.12 * x) * at[:i].count(x) for i, x in enumerate(at)]


def _signal(axes: Axes, p: Point, x: float, column: Column, on_front: bool) -> None:
    scale = column.metric.scale
    for cell, filled in ((p.true, False), (p.predicted, True)):
        if cell.value is None or (not filled and cell.records == p.predicted.records):
            continue
        if cell.low is not None and cell.high is not None:
            axes.plot(
                [x, x], [cell.low * scale, cell.high * scale], color=p.colour, lw=4, alpha=0.25, solid_capstyle="butt", zorder=2
            )
        axes.plot(x, cell.value * scale, "o", ms=8, mfc=p.colour if filled else "white", mec=p.colour, mew=1.8, zorder=4)
    if p.true.value is not None and p.predicted.value is not None and p.true.records != p.predicted.records:
        axes.annotate(
            "", (x, p.predicted.value * scale), (x, p.true.value * scale), zorder=3,
            arrowprops={"arrowstyle": "-|>", "color": p.colour, "lw": 1.6, "shrinkA": 5, "shrinkB": 5},
        )  # fmt: skip
    if on_front and p.predicted.value is not None:
        axes.plot(x, p.predicted.value * scale, "o", ms=14, mfc="none", mec=p.colour, mew=1.2, zorder=3)
    _label(axes, p, x, scale)


def _label(axes: Axes, p: Point, x: float, scale: float) -> None:
    """The signal's name beyond the end of its arrow."""
    true, last = (p.true.value, p.predicted.value) if p.predicted.value is not None else (p.true.value, p.true.value)
    assert last is not None
    up = true is None or last >= true
    name = "\n".join(textwrap.wrap(p.label, 14))
    axes.annotate(
        name, (x, last * scale), (-8 if x <= 0 else 0, 10 if up else -10), textcoords="offset points", fontsize=8, color=p.colour,
        ha="left" if x <= 0 else "center", va="bottom" if up else "top", bbox=BEHIND, zorder=6,
    )  # fmt: skip


def _scale(axes: Axes, cells: Cells, column: Column, *, labelled: bool) -> None:
    """Floor and ceilings as lines: the rows that are not ranked."""
    first = cells.spec.forms[0]
    for row, style in zip((r for r in cells.spec.rows if not r.ranked), ("--", "-.", "-", ":") * 9, strict=False):
        cell = cells.cell(row, first, column)
        if cell.value is not None:
            y = cell.value * column.metric.scale
            axes.axhline(y, color="0.55", ls=style, lw=1, zorder=1)
            if labelled:
                axes.annotate(
                    row.label, (0.01, y), xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points",
                    ha="left", va="bottom", fontsize=7, color="0.4", bbox=BEHIND, zorder=2,
                )  # fmt: skip


def _legend(figure: Figure, found) -> None:
    """Each signal with its cost, and what the signs mean."""
    from matplotlib.lines import Line2D

    def cost(p: Point) -> str:
        parts = [f"{n:.0f} {what}/s" for n, what in ((p.bits, "bits"), (p.reals, "reals")) if n]
        return f"{p.label}: {' + '.join(parts) or 'nothing predicted'}"

    handles = [Line2D([], [], marker="o", ls="", color=p.colour, label=cost(p)) for p in found]
    signs = (("white", 6, "true hints"), ("0.4", 6, "predicted hints"), ("none", 12, "on the Pareto front (bits, reals, score)"))
    handles += [Line2D([], [], ls="", color="0.4", marker="o", mfc=face, ms=size, label=what) for face, size, what in signs]
    handles.append(Line2D([], [], color="0.4", lw=4, alpha=0.3, label="95 % interval"))
    figure.legend(handles=handles, loc="lower center", ncols=4, fontsize=8, frameon=False)
