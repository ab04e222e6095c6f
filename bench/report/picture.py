"""The trade-off picture: what a signal costs against what it gives, an arrow from true to predicted hints, and the Pareto front."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.cells import Cell, Cells, Column
from bench.report.costs import cost_of
from bench.report.placing import Names, Place
from bench.report.select import Group
from bench.report.spec import Spec
from bench.report.table import WORLD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# seven that stay apart in grey and for most colour-blind readers (after Okabe and Ito)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#555555")


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
    named = [
        names
        for i, (column, found) in enumerate(panels)
        for names in _panel(figure, grid[i // wide, i % wide], cells, column, found)
    ]
    _legend(figure, {p.label: p for _, found in panels for p in found}.values())
    about = group.about + (f". {WORLD}" if group.rendered else "")
    told = textwrap.wrap(about, 100 * wide)[:3]  # as many lines as there is room for above the panels
    title = "Cost of a control signal against what it gives, from true to predicted hints"
    figure.suptitle("\n".join([title, *told]), fontsize=11 if len(told) == 1 else 9)
    for names in named:
        names.write(figure)
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


def front(found: Sequence[Point], column: Column, free: float | None = None) -> list[Point]:
    """The signals that no other one beats by predicted hints: as cheap in bits and in reals, as good, and better in one of them.

    free: what is reached at no cost, by text alone; a signal that is no better is not on the front either.
    """
    sign = 1 if column.metric.better == "lower" else -1
    there = [(p, (p.bits, p.reals, sign * p.predicted.value)) for p in found if p.predicted.value is not None]
    others = [of for _, of in there] + ([(0.0, 0.0, sign * free)] if free is not None else [])
    return [p for p, of in there if not any(o != of and all(a <= b for a, b in zip(o, of, strict=True)) for o in others)]


def best_so_far(costs: Sequence[tuple[float, float]], column: Column) -> list[tuple[float, float]]:
    """Of (cost, value) those that no cheaper or equal one matches, by cost: the steps of the best that so much buys."""
    sign, steps = (1 if column.metric.better == "lower" else -1), []
    for cost, value in sorted(costs, key=lambda c: (c[0], sign * c[1])):
        if not steps or sign * value < sign * steps[-1][1]:
            steps.append((cost, value))
    return steps


def _free(cells: Cells, column: Column) -> float | None:
    """What text alone reaches."""
    none = [r for r in cells.spec.rows if not r.ranked and r.where.get("experiment.control.is") == "NoControl"]
    return cells.cell(none[0], cells.spec.forms[0], column).value if none else None


def _panel(figure: Figure, place, cells: Cells, column: Column, found: list[Point]) -> list[Names]:
    """Two axes with one score: signals of real numbers alone on the left, signals with codes on the right. Names are still to write."""
    inner = place.subgridspec(1, 2, width_ratios=(4, 5), wspace=0.04)
    left = figure.add_subplot(inner[0])
    right = figure.add_subplot(inner[1], sharey=left)
    metric, free, named = column.metric, _free(cells, column), []
    best = front(found, column, free)
    for axes, mine, cost, name in (
        (left, [p for p in found if not p.bits], lambda p: p.reals, "real numbers a second (no codes)"),
        (right, [p for p in found if p.bits], lambda p: p.bits, "bits a second"),
    ):
        _axis(axes, [cost(p) for p in mine], name)
        at = _spread([cost(p) for p in mine])
        names = Names(axes)
        for p, x in zip(mine, at, strict=True):
            _signal(names, p, x, column, p in best)
        worth = [(x, p.predicted.value) for p, x in zip(mine, at, strict=True) if p.predicted.value is not None]
        line = best_so_far([*worth, *([(axes.get_xlim()[0], free)] if free is not None else [])], column)
        if line:
            ends = [*line, (axes.get_xlim()[1], line[-1][1])]
            axes.step(
                [x for x, _ in ends], [y * metric.scale for _, y in ends], where="post", color="0.45", ls=":", lw=1.2, zorder=1
            )
        _scale(names, cells, column, labelled=axes is right)
        named.append(names)
    left.set_ylabel(f"{metric.label}{f' ({metric.unit})' if metric.unit else ''}, {metric.better} is better")
    right.tick_params(labelleft=False)
    left.margins(y=0.1)
    return named


def _axis(axes: Axes, at: list[float], name: str) -> None:
    """Logarithmic above 10, linear below, so that 0 has a place; ticks where signals are."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xscale("symlog", linthresh=10, linscale=0.5)
    # on the left the names of floor and ceilings, on the right that of the last signal
    axes.set_xlim(-4 if not at or min(at) < 100 else min(at) / 5, max([*at, 20]) * 4)
    axes.xaxis.set_major_locator(FixedLocator(sorted({round(x) for x in at})))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0f}")
    axes.tick_params(axis="x", labelsize=7)  # 750 and 1500 bits stand close
    axes.set_xlabel(name)
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    if not at:
        axes.set_xticks([])


def _spread(at: list[float]) -> list[float]:
    """Where each is drawn: signals of one cost stand side by side."""
    return [x + (4 if x < 10 else 0.12 * x) * at[:i].count(x) for i, x in enumerate(at)]


def _signal(names: Names, p: Point, x: float, column: Column, on_front: bool) -> None:
    axes, scale = names.axes, column.metric.scale
    for cell, filled in ((p.true, False), (p.predicted, True)):
        if cell.value is None or (not filled and cell.records == p.predicted.records):
            continue
        if (
            cell.low is not None and cell.high is not None
        ):  # broad for predicted hints; for true ones thin with ends, to be told apart
            ends = [cell.low * scale, cell.high * scale]
            if filled:
                axes.plot([x, x], ends, color=p.colour, lw=6, alpha=0.25, solid_capstyle="butt", zorder=2)
            else:
                axes.plot([x, x], ends, color=p.colour, lw=0.9, marker="_", ms=9, mew=0.9, zorder=2)
        axes.plot(x, cell.value * scale, "o", ms=8, mfc=p.colour if filled else "white", mec=p.colour, mew=1.8, zorder=4)
        names.mark(x, cell.value * scale, 5)
    if p.true.value is not None and p.predicted.value is not None and p.true.records != p.predicted.records:
        axes.annotate(
            "", (x, p.predicted.value * scale), (x, p.true.value * scale), zorder=3,
            arrowprops={"arrowstyle": "-|>", "color": p.colour, "lw": 1.6, "shrinkA": 5, "shrinkB": 5},
        )  # fmt: skip
    if on_front and p.predicted.value is not None:
        axes.plot(x, p.predicted.value * scale, "o", ms=14, mfc="none", mec=p.colour, mew=1.2, zorder=3)
        names.mark(x, p.predicted.value * scale, 8)
    _name(names, p, x, scale)


def _name(names: Names, p: Point, x: float, scale: float) -> None:
    """The signal's name: beyond the end of its arrow, or where there is room around one of its marks."""
    ends = [c.value for c in (p.predicted, p.true) if c.value is not None]
    up = 1 if ends[0] >= ends[-1] else -1
    places = [
        Place(0, 10 * up),
        Place(9, 0),
        Place(-9, 0),
        Place(9, 8 * up),
        Place(-9, 8 * up),
        Place(0, 22 * up),
        Place(0, -10 * up),
    ]
    names.name(
        "\n".join(textwrap.wrap(p.label, 14)), (x, ends[0] * scale), places, fontsize=8, color=p.colour, zorder=6
    )  # fmt: skip


def _scale(names: Names, cells: Cells, column: Column, *, labelled: bool) -> None:
    """Floor and ceilings as lines: the rows that are not ranked. Their names stand at the left end, the highest one's first."""
    axes, first, scale = names.axes, cells.spec.forms[0], column.metric.scale
    there = []
    for row, style in zip((r for r in cells.spec.rows if not r.ranked), ("--", "-.", "-", ":") * 9, strict=False):
        value = cells.cell(row, first, column).value
        if value is not None:
            axes.axhline(value * scale, color="0.55", ls=style, lw=1, zorder=1)
            there.append((value * scale, row.label))
    places = [Place(right, up) for right in (3, 100) for up in (2, -2)]
    for y, label in sorted(there, reverse=True) if labelled else ():
        names.name(label, (0.0, y), places, coords=("axes fraction", "data"), fontsize=7, color="0.4", zorder=2)


def _legend(figure: Figure, found) -> None:
    """Each signal with its cost, and what the signs mean."""
    from matplotlib.lines import Line2D

    def cost(p: Point) -> str:
        parts = [f"{n:.0f} {what}/s" for n, what in ((p.bits, "bits"), (p.reals, "reals")) if n]
        return f"{p.label}: {' + '.join(parts) or 'nothing predicted'}"

    handles = [Line2D([], [], marker="o", ls="", color=p.colour, label=cost(p)) for p in found]
    signs = (("white", 6, "true hints"), ("0.4", 6, "predicted hints"), ("none", 12, "on the Pareto front (bits, reals, score)"))
    handles += [Line2D([], [], ls="", color="0.4", marker="o", mfc=face, ms=size, label=what) for face, size, what in signs]
    handles.append(Line2D([], [], color="0.4", lw=0.9, marker="_", ms=9, label="95 % interval, true hints"))
    handles.append(Line2D([], [], color="0.4", lw=6, alpha=0.3, label="95 % interval, predicted hints"))
    handles.append(Line2D([], [], color="0.45", lw=1.2, ls=":", label="best for that many bits, or reals, alone"))
    figure.legend(handles=handles, loc="lower center", ncols=4, fontsize=8, frameon=False)
