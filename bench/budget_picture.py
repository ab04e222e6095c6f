"""The picture of a budget: each part's share of the gap by metric, and by class for every metric that has classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.budget import Budget, metric
from bench.report.picture import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def picture(found: Budget, stem: Path) -> list[Path]:
    """Write `stem`.png and `stem`.svg; the same budget gives the same files."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": found.name, "svg.fonttype": "none"}):
        figure, paths = draw(found), []
        for suffix in ("png", "svg"):
            paths.append(stem.with_name(f"{stem.name}.{suffix}"))
            figure.savefig(paths[-1], dpi=130, metadata={"Date": None} if suffix == "svg" else None)
    return paths


def draw(found: Budget) -> Figure:
    """Left: bars of shares with intervals, each metric scaled to its gap. Right: a map of classes and parts for each metric."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mapped = [id for id in found.metrics if any(found.gap(id, label) for label in found.labels)]
    figure = Figure(figsize=(6 + 1.9 * len(mapped), 1.6 + 0.3 * max(12, len(found.labels))), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1, 1 + len(mapped), width_ratios=[3.6, *([1] * len(mapped))])
    _bars(figure.add_subplot(grid[0]), found)
    for i, id in enumerate(mapped):
        _map(figure.add_subplot(grid[1 + i]), found, id, named=i == 0)
    figure.suptitle(
        f"Error budget of {found.name}: what predicting each part costs (red: worse than by true hints)".replace("$", r"\$"),
        fontsize=11,
    )
    return figure


def _bars(axes: Axes, found: Budget) -> None:
    """Shares in percent of the metric's value by true hints, so that metrics without a gap do not explode; down is worse for ↑."""
    height = 0.8 / len(found.parts)
    for i, part in enumerate(found.parts):
        for row, id in enumerate(found.metrics):
            share, gap = found.of(id)[i], found.gap(id)
            scale = 100 / abs(gap.true) if gap and gap.true else 0.0
            at = row + (i - (len(found.parts) - 1) / 2) * height
            label = part.replace("$", r"\$") if row == 0 else None
            axes.barh(at, share.value * scale, height * 0.92, color=COLOURS[i % len(COLOURS)], label=label)
            if share.low is not None and share.high is not None:
                axes.plot([share.low * scale, share.high * scale], [at, at], color="black", linewidth=1)
    for row, id in enumerate(found.metrics):
        gap = found.gap(id)
        if gap and gap.true:
            axes.plot(
                [100 * gap.value / abs(gap.true)] * 2, [row - 0.42, row + 0.42], color="black", linestyle=":", linewidth=1.2
            )
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(found.metrics)), [metric(id).heading for id in found.metrics])
    axes.invert_yaxis()
    axes.set_xlabel("share, % of the value by true hints (dotted: the whole gap)", fontsize=9)
    axes.legend(fontsize=8, loc="best")
    axes.tick_params(labelsize=8)


def _map(axes: Axes, found: Budget, id: str, *, named: bool) -> None:
    """Classes down, parts across; red is worse than by true hints."""
    m = metric(id)
    values = np.array([[s.value * m.scale for s in found.of(id, label)] or [np.nan] * len(found.parts) for label in found.labels])
    most = float(np.nanmax(np.abs(values))) or 1.0
    worse = values if m.better == "lower" else -values
    axes.imshow(worse, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = abs(value) > 0.6 * most
            axes.text(
                column,
                row,
                f"{value:+.{min(m.digits, 2)}f}",
                ha="center",
                va="center",
                fontsize=6,
                color="white" if dark else "black",
            )
    axes.set_title(m.heading, fontsize=8)
    axes.set_xticks(range(len(found.parts)), [p.replace("$", r"\$") for p in found.parts], rotation=60, ha="right", fontsize=7)
    labels = [label.replace("$", r"\$") for label in found.labels] if named else [""] * len(found.labels)
    axes.set_yticks(range(len(found.labels)), labels, fontsize=7)
