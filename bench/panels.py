"""The panels between mel and hint in a picture of a control: one for what is named, one for what is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from controls.base import Control, Signal
    from melqcd.mel import MelScale

Panel = Callable[["Axes"], None]
HZ = (100, 250, 500, 1000, 2000, 4000, 8000)  # marks on a frequency axis
LINES = ("#1f4e9c", "#d1495b", "#2e8b57", "#8a5fbf")


def panels(control: Control, signal: Signal, scale: MelScale, step: int) -> list[Panel]:
    """One panel per head and kind: codes as the levels or numbers they stand for, scalars as curves or rows, yes/no as bars.

    signal: arrays [n, slots] of one clip. What a control carries without predicting it is not drawn: the hint shows it.
    """
    from controls.melqcd import MelQCD

    heads = control.heads()
    found: list[Panel] = []
    for name in (n for n, h in heads.items() if h.kind == "class"):
        levels = isinstance(control, MelQCD) and name == "code"
        found.append(
            _levels(control, signal[name], scale, step) if levels else _codes(name, signal[name], heads[name].size, scale, step)
        )  # type: ignore[arg-type]
    curves = {n: signal[n][0].numpy() for n, h in heads.items() if h.kind == "scalar" and h.n == 1}
    if curves:
        found.append(_curves(curves, scale, step))
    found += [_rows(n, signal[n].numpy(), scale, step) for n, h in heads.items() if h.kind == "scalar" and h.n > 1]
    found += [_bars(n, signal[n].numpy(), scale, step) for n, h in heads.items() if h.kind == "binary"]
    return found


def frequency_axis(axis: Axes, scale: MelScale, rows: int) -> None:
    """Marks in kHz on an axis of `rows` rows, the highest band on top."""
    from melqcd.stft import band_edges

    centres = band_edges(scale.bins, scale.low_hz, scale.high_hz)[1:-1]
    inside = [hz for hz in (HZ if rows == scale.bins else HZ[2:]) if centres[0] <= hz <= scale.high_hz]
    at = [(1 - (np.interp(hz, centres, np.arange(scale.bins)) + 0.5) / scale.bins) * rows for hz in inside]
    axis.set_yticks(at, [f"{hz / 1000:g}" for hz in inside], fontsize=8)
    axis.set_ylabel("kHz", fontsize=9)


def _extent(slots: int, rows: int, scale: MelScale, step: int) -> tuple[float, float, float, float]:
    return (0, slots * step / scale.rate_frames, rows, 0)


def _levels(control, code, scale: MelScale, step: int) -> Panel:
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap

    from melqcd.quantize import from_codes

    levels = from_codes(code, control.bound, control.group).numpy()
    edges = np.arange(-control.bound - 0.5, control.bound + 1)
    colours = ListedColormap(colormaps["RdBu_r"](np.linspace(0.15, 0.85, 2 * control.bound + 1)))

    def panel(axis: Axes) -> None:
        axis.imshow(
            levels,
            aspect="auto",
            cmap=colours,
            norm=BoundaryNorm(edges, colours.N),
            extent=_extent(levels.shape[1], len(levels), scale, step),
            interpolation="nearest",
        )
        for edge in range(control.group, control.bands, control.group):
            axis.axhline(edge, color="black", lw=1)
        frequency_axis(axis, scale, len(levels))
        used = len({tuple(column) for column in code.T.tolist()})
        axis.set_title(
            f"Shape: {control.bands} bands, each within half a deviation of the slot's mean (white), above (red) or below (blue). "
            f"{control.bands // control.group} x {control.classes} codes; {used} different in {code.shape[1]} slots",
            loc="left",
            fontsize=10,
        )

    return panel


def _codes(name: str, code, size: int, scale: MelScale, step: int) -> Panel:
    at = (np.arange(code.shape[1]) + 0.5) * step / scale.rate_frames

    def panel(axis: Axes) -> None:
        for i, row in enumerate(code.numpy()):
            axis.plot(at, row, ".", ms=3, color=LINES[i % len(LINES)], label=f"{name} {i + 1}")
        axis.set_ylim(-0.5, size - 0.5)
        axis.legend(loc="upper right", fontsize=8, ncols=4)
        axis.set_title(f"{name}: {len(code)} of {size} codes a slot", loc="left", fontsize=10)

    return panel


def _curves(curves: dict[str, np.ndarray], scale: MelScale, step: int) -> Panel:
    """Curves over each other; a deviation is drawn as the band around its energy."""
    around = curves.get("deviation") if "energy" in curves else None
    decibels = 20 / np.log(10) * (scale.log_ceiling - scale.log_floor)

    def panel(axis: Axes) -> None:
        for i, (name, values) in enumerate(curves.items()):
            at = np.arange(len(values) + 1) * step / scale.rate_frames
            if around is not None and name == "deviation":
                energy = curves["energy"]
                axis.stairs(
                    energy + values, at, baseline=energy - values, fill=True, color=LINES[0], alpha=0.2, label="± deviation"
                )
            else:
                axis.stairs(values, at, lw=1.4, color=LINES[i % len(LINES)], label=name, baseline=None)
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=9, ncols=4, frameon=False, borderpad=0.1)
        axis.margins(y=0.1)
        axis.grid(axis="y", lw=0.4, alpha=0.5)
        axis.set_ylabel("image units", fontsize=9)
        title = f"{' and '.join(curves).capitalize()}: a real number{' each' * (len(curves) > 1)} in every slot (0.1 is {decibels / 10:.0f} dB)"
        axis.set_title(title, loc="left", fontsize=10)

    return panel


def _rows(name: str, values: np.ndarray, scale: MelScale, step: int) -> Panel:
    def panel(axis: Axes) -> None:
        extent = _extent(values.shape[1], len(values), scale, step)
        axis.imshow(values, aspect="auto", cmap="magma", extent=extent, interpolation="nearest")
        frequency_axis(axis, scale, len(values))
        axis.set_title(f"{name.capitalize()}: {len(values)} real numbers a slot (contrast of its own)", loc="left", fontsize=10)

    return panel


def _bars(name: str, values: np.ndarray, scale: MelScale, step: int) -> Panel:
    def panel(axis: Axes) -> None:
        edges = np.arange(values.shape[1] + 1) * step / scale.rate_frames
        for row in values:
            axis.stairs(row, edges, fill=True, color=LINES[0])
        axis.set_ylim(0, 1.15)
        axis.set_yticks([0, 1], ["no", "yes"], fontsize=8)
        axis.set_title(f"{name.capitalize()}: yes in {int(values.sum())} of {values.size} slots", loc="left", fontsize=10)

    return panel
