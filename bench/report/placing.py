"""Names in a picture: each beside its mark, where it covers no mark and no other name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.75}  # of names, so that they can be read over lines
ALIGNED = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}


@dataclass(frozen=True)
class Place:
    """Where a name may stand: so many points right and up of its mark, growing away from it."""

    right: float
    up: float


@dataclass
class Names:
    """The names wanted in one pair of axes, in the order in which they choose, and the marks that they may not cover."""

    axes: Axes
    wanted: list[tuple[str, tuple[float, float], Any, Sequence[Place], dict]] = field(default_factory=list)
    marks: list[tuple[float, float, float]] = field(default_factory=list)  # x, y in data; radius in points

    def mark(self, x: float, y: float, radius: float) -> None:
        self.marks.append((x, y, radius))

    def name(self, text: str, at: tuple[float, float], places: Sequence[Place], *, coords: Any = "data", **how: Any) -> None:
        """places: the best one first; where every one is taken, the one that covers least."""
        self.wanted.append((text, at, coords, places, how))

    def write(self, figure: Figure) -> None:
        """Call it when nothing moves any more: sizes are those of the finished picture."""
        figure.draw_without_rendering()
        point = figure.dpi / 72
        frame = self.axes.get_window_extent()
        taken = []
        for x, y, radius in self.marks:
            across, along = self.axes.transData.transform((x, y))
            taken.append((across - radius * point, along - radius * point, across + radius * point, along + radius * point))
        for text, at, coords, places, how in self.wanted:
            found = []
            for n, place in enumerate(places):
                across, along = ALIGNED[_sign(place.right)][0], ALIGNED[_sign(place.up)][1]
                note = self.axes.annotate(text, at, (place.right, place.up), xycoords=coords, textcoords="offset points",
                                          ha=across, va=along, bbox=BEHIND, **how)  # fmt: skip
                box = tuple(note.get_window_extent().extents)
                inside = _shared(box, tuple(frame.extents))
                covered = sum(_shared(box, other) for other in taken) + 4 * (_area(box) - inside)
                found.append((covered, n, box, note))
            found.sort(key=lambda f: f[:2])
            for _, _, _, note in found[1:]:
                note.remove()
            taken.append(found[0][2])


def _sign(x: float) -> int:
    return (x > 0) - (x < 0)


def _area(box: tuple) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _shared(a: tuple, b: tuple) -> float:
    return _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
