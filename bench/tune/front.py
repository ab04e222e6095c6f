"""The picture of a study: each setting by its values, its intervals, and the Pareto front."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.picture import COLOURS
from bench.report.placing import BEHIND
from bench.tune.shown import Tried
from bench.tune.study import Objective, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def picture(plan: Study, found: list[Tried], out: Path, about: str = "") -> list[Path]:
    """`front.png` and `front.svg` under `out`: a panel for each pair of objectives; of one objective its values one under another."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pairs = list(combinations(range(len(plan.objectives)), 2))
    figure = Figure(figsize=(7.2 * max(1, len(pairs)), 5.4 if pairs else 1.6 + 0.3 * len(found)))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.11 if pairs else 0.3, right=0.97, bottom=0.11, top=0.89 if pairs else 0.8, wspace=0.25)
    if pairs:
        for axes, (a, b) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
            _pair(axes, plan, found, a, b)
    else:
        _one(figure.subplots(), plan, found)
    signs = "filled: on the front, hollow: off it, grey: over a bound; lines: 95 % intervals"
    figure.suptitle(f"{plan.name}: {plan.about}. Scored on val\n{about}\n{signs}".replace("\n\n", "\n"), fontsize=9)
    out.mkdir(parents=True, exist_ok=True)
    # a fixed salt and no date: the same trials give the same file
    with matplotlib.rc_context({"svg.hashsalt": plan.name, "svg.fonttype": "none"}):
        paths = [out / "front.png", out / "front.svg"]
        for path in paths:
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def _pair(axes: Axes, plan: Study, found: list[Tried], a: int, b: int) -> None:
    """One objective against another. A setting off the front is hollow, one over a bound grey; the line joins the front of all."""
    x, y = plan.objectives[a], plan.objectives[b]
    shades = _shades(plan, found)
    for t in found:
        at, colour = (t.values[a] * x.scale, t.values[b] * y.scale), shades[t.number] if t.feasible else "0.7"
        for objective, (low, high), along in ((x, t.intervals[a], 0), (y, t.intervals[b], 1)):
            if low is not None and high is not None:
                ends = (low * objective.scale, high * objective.scale)
                axes.plot(*((ends, [at[1]] * 2) if along == 0 else ([at[0]] * 2, ends)), color=colour, lw=1, alpha=0.35, zorder=1)
        axes.plot(*at, "o", ms=8, mfc=colour if t.front else "white", mec=colour, mew=1.6, zorder=3)
    front = sorted((t.values[a] * x.scale, t.values[b] * y.scale) for t in found if t.front)
    axes.plot(*zip(*front, strict=True), ls=":", lw=1.2, color="0.4", zorder=2) if len(front) > 1 else None
    axes.set_xlabel(_axis(x))
    axes.set_ylabel(_axis(y))
    axes.grid(color="0.93")
    axes.set_axisbelow(True)
    axes.margins(0.15)
    taken: list[tuple[float, float]] = []
    for t in sorted(found, key=lambda t: t.values[b] * (1 if t.front == (y.better == "higher") else -1)):
        at, colour = (t.values[a] * x.scale, t.values[b] * y.scale), shades[t.number] if t.feasible else "0.7"
        _label(axes, t, at, colour, taken, left=t.front == (x.better == "lower"), below=t.front == (y.better == "lower"))


def _label(axes: Axes, t: Tried, at: tuple[float, float], colour: str, taken: list, *, left: bool, below: bool) -> None:
    """The setting's name: on the better side of the front, on the other side of what is off it, a line further where one stands."""
    side, up = (-1 if left else 1), (-1 if below else 1)
    points = axes.transData.transform(at) * 72 / axes.figure.dpi
    place = (points[0] + 6 * side, points[1] + 5 * up)
    while any(abs(place[0] - x) < 90 and abs(place[1] - y) < 10 for x, y in taken):  # about the size of a name, in points
        place = (place[0], place[1] + 2 * up)
    taken.append(place)
    axes.annotate(
        _name(t), at, (place[0] - points[0], place[1] - points[1]), textcoords="offset points", fontsize=8, color=colour,
        ha="right" if left else "left", va="top" if below else "bottom", bbox=BEHIND, zorder=4,
    )  # fmt: skip


def _one(axes: Axes, plan: Study, found: list[Tried]) -> None:
    """The values of a single objective, the best at the top."""
    o, shades = plan.objectives[0], _shades(plan, found)
    for i, t in enumerate(found):
        colour, (low, high) = shades[t.number] if t.feasible else "0.7", t.intervals[0]
        if low is not None and high is not None:
            axes.plot([low * o.scale, high * o.scale], [i, i], color=colour, lw=3, alpha=0.3, solid_capstyle="butt")
        axes.plot(t.values[0] * o.scale, i, "o", ms=7, mfc=colour if t.front else "white", mec=colour, mew=1.6)
    axes.set_yticks(range(len(found)), [_name(t) for t in found])
    axes.invert_yaxis()
    axes.set_xlabel(_axis(o))
    axes.grid(axis="x", color="0.93")


def _axis(objective: Objective) -> str:
    return f"{objective.name}, {objective.better} is better"


def _name(t: Tried) -> str:
    return " ".join(f"{name.rpartition('.')[2]}={value}" for name, value in t.setting.items())


def _shades(plan: Study, found: list[Tried]) -> dict[int, str]:
    """A colour for each value of the first searched word, where there are few."""
    first = plan.space.names[0]
    values = sorted({t.setting[first] for t in found}, key=str)
    many = len(values) > len(COLOURS)
    return {t.number: COLOURS[0 if many else values.index(t.setting[first])] for t in found}
