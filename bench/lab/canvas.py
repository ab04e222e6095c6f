"""Anti-aliased drawing for all frames at once: shapes are signed distances, a canvas is [T, SIDE, SIDE, 3] floats in 0 ... 1.

Coordinates are pixels of the finished 96 x 96 picture, x to the right and y down, before the scene's zoom about its centre.
A number may be an array [T]: one value a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.lab.world import SIZE

EDGE = 4  # pixels around the picture, into which the camera drifts
SIDE = SIZE + 2 * EDGE
Number = float | np.ndarray


@dataclass(frozen=True)
class Shape:
    """`distance(x, y)`: pixels outside (positive) or inside (negative), for [T or 1, h, w] coordinates. box: x0, y0, x1, y1, all frames."""

    distance: Callable[[np.ndarray, np.ndarray], np.ndarray]
    centre: tuple[Number, Number]
    reach: float  # half the larger side, for shading
    box: tuple[float, float, float, float]


def _each(value) -> np.ndarray:
    return np.asarray(value, np.float32).reshape(-1, 1, 1)


def _box(xs, ys, margin) -> tuple[float, float, float, float]:
    m = float(np.max(margin))
    return (
        min(float(np.min(x)) for x in xs) - m,
        min(float(np.min(y)) for y in ys) - m,
        max(float(np.max(x)) for x in xs) + m,
        max(float(np.max(y)) for y in ys) + m,
    )


def disc(x: Number, y: Number, radius: Number) -> Shape:
    cx, cy, r = _each(x), _each(y), _each(radius)
    return Shape(lambda X, Y: np.sqrt((X - cx) ** 2 + (Y - cy) ** 2) - r, (x, y), float(np.max(radius)), _box([x], [y], radius))


def ellipse(x: Number, y: Number, a: Number, b: Number, angle: Number = 0.0) -> Shape:
    """Half-axes a and b, turned clockwise by `angle` radians. The distance is exact near the edge only."""
    cx, cy, ra, rb, c, s = _each(x), _each(y), _each(a), _each(b), _each(np.cos(angle)), _each(np.sin(angle))

    def distance(X, Y):
        X, Y = X - cx, Y - cy
        u, v = (c * X + s * Y) / ra, (c * Y - s * X) / rb
        k = np.sqrt(u * u + v * v)
        return k * (k - 1) / (np.sqrt((u / ra) ** 2 + (v / rb) ** 2) + 1e-4)

    reach = max(float(np.max(a)), float(np.max(b)))
    return Shape(distance, (x, y), reach, _box([x], [y], reach))


def bar(x0: Number, y0: Number, x1: Number, y1: Number, width: Number) -> Shape:
    """A line with round ends."""
    ax, ay, bx, by, w = _each(x0), _each(y0), _each(x1), _each(y1), _each(width) / 2
    dx, dy = bx - ax, by - ay
    over = 1 / (dx * dx + dy * dy + 1e-6)

    def distance(X, Y):
        X, Y = X - ax, Y - ay
        along = np.clip((X * dx + Y * dy) * over, 0, 1)
        return np.sqrt((X - along * dx) ** 2 + (Y - along * dy) ** 2) - w

    centre = ((np.asarray(x0) + x1) / 2, (np.asarray(y0) + y1) / 2)
    return Shape(distance, centre, float(np.max(width)), _box([x0, x1], [y0, y1], np.max(width) / 2))


def block(x: Number, y: Number, half_width: Number, half_height: Number, angle: Number = 0.0, *, corner: float = 1.5) -> Shape:
    """A rectangle with round corners, turned clockwise by `angle` radians."""
    cx, cy, c, s = _each(x), _each(y), _each(np.cos(angle)), _each(np.sin(angle))
    hw, hh = _each(half_width) - corner, _each(half_height) - corner

    def distance(X, Y):
        X, Y = X - cx, Y - cy
        u, v = np.abs(c * X + s * Y) - hw, np.abs(c * Y - s * X) - hh
        return np.sqrt(np.maximum(u, 0) ** 2 + np.maximum(v, 0) ** 2) + np.minimum(np.maximum(u, v), 0) - corner

    w, h = float(np.max(half_width)), float(np.max(half_height))
    turned = np.any(np.asarray(angle) != 0)
    mx, my = (np.hypot(w, h),) * 2 if turned else (w, h)
    found = _box([x], [y], 0)
    return Shape(distance, (x, y), max(w, h), (found[0] - mx, found[1] - my, found[2] + mx, found[3] + my))


def polygon(points) -> Shape:
    """Corners in order: (x, y) pairs, each number one for all frames or [T]."""
    corners = [(_each(x), _each(y)) for x, y in points]

    def distance(X, Y):
        near, inside = np.float32(1e9), np.float32(1.0)
        for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
            ex, ey, wx, wy = bx - ax, by - ay, X - ax, Y - ay
            along = np.clip((wx * ex + wy * ey) / (ex * ex + ey * ey + 1e-6), 0, 1)
            near = np.minimum(near, (wx - ex * along) ** 2 + (wy - ey * along) ** 2)
            a, b, c = ay <= Y, by > Y, ex * wy > ey * wx
            inside = np.where((a & b & c) | (~a & ~b & ~c), -inside, inside)
        return np.sqrt(near) * inside

    xs, ys = [p[0] for p in points], [p[1] for p in points]
    box = _box(xs, ys, 0)
    centre = (sum(np.asarray(x) for x in xs) / len(xs), sum(np.asarray(y) for y in ys) / len(ys))
    return Shape(distance, centre, max(box[2] - box[0], box[3] - box[1]) / 2, box)


def wave(x0: float, x1: float, y: Number, swing: Number, width: float, *, humps: int = 1) -> Shape:
    """A nearly horizontal string from x0 to x1 that swings by `swing` pixels in `humps` half-waves."""
    cy, a = _each(y), _each(swing)

    def distance(X, Y):
        bent = cy + a * np.sin(np.pi * humps * np.clip((X - x0) / (x1 - x0), 0, 1))
        return np.maximum(np.abs(Y - bent) - width / 2, np.maximum(x0 - X, X - x1))

    reach = float(np.max(np.abs(swing))) + width
    return Shape(distance, ((x0 + x1) / 2, y), width, _box([x0, x1], [y], reach))


def outline(shape: Shape, width: float) -> Shape:
    """The edge of `shape` as a line."""
    x0, y0, x1, y1 = shape.box
    m = width / 2
    return Shape(lambda X, Y: np.abs(shape.distance(X, Y)) - m, shape.centre, shape.reach, (x0 - m, y0 - m, x1 + m, y1 + m))


class Canvas:
    """Paints in order, the last on top. Begin with one frame for what stands still, then `film` it."""

    def __init__(self, pixels: np.ndarray, *, zoom: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)):
        self.pixels, self.zoom, self.shift = pixels, zoom, shift

    def film(self, frames: int) -> Canvas:
        """The same picture `frames` times over, to be painted with what moves."""
        return Canvas(np.repeat(self.pixels, frames, axis=0), zoom=self.zoom, shift=self.shift)

    def _scene(self, pixel: np.ndarray, axis: int) -> np.ndarray:
        middle = SIZE / 2
        return (pixel + 0.5 - EDGE - middle - self.shift[axis]) / self.zoom + middle

    def _pixel(self, scene: float, axis: int) -> float:
        middle = SIZE / 2
        return (scene - middle) * self.zoom + middle + EDGE + self.shift[axis]

    def paint(
        self,
        shape: Shape,
        colour,
        *,
        opacity: Number = 1.0,
        shade: float = 0.22,
        rim: float = 0.35,
        soft: float = 0.0,
    ) -> None:
        """Fill `shape` with an (r, g, b) colour in 0 ... 1, or [T, 3].

        shade: lit from the upper left by that much. rim: how much darker the outermost pixel is. soft: pixels over which the
        edge blurs.
        """
        spread = 1 + soft / 2
        x0, x1 = (int(np.floor(self._pixel(shape.box[i], 0) + e * spread)) for i, e in ((0, -1), (2, 2)))
        y0, y1 = (int(np.floor(self._pixel(shape.box[i], 1) + e * spread)) for i, e in ((1, -1), (3, 2)))
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, SIDE), min(y1, SIDE)
        if x1 <= x0 or y1 <= y0:
            return
        X = self._scene(np.arange(x0, x1, dtype=np.float32), 0)[None, None, :]
        Y = self._scene(np.arange(y0, y1, dtype=np.float32), 1)[None, :, None]
        d = shape.distance(X, Y) * np.float32(self.zoom)
        cover = np.clip(0.5 - d / (1 + soft), 0, 1) * _each(opacity)
        colour = np.atleast_2d(np.asarray(colour, np.float32))[:, None, None, :]
        if shade or rim:
            cx, cy = _each(shape.centre[0]), _each(shape.centre[1])
            light = 1 - shade * np.clip(((X - cx) * 0.6 + (Y - cy) * 0.8) / max(shape.reach, 1), -1, 1)
            light = light * (1 - rim * np.clip(d + 1.6, 0, 1))
            colour = np.clip(colour * light[..., None], 0, 1)
        region = self.pixels[:, y0:y1, x0:x1]
        region += cover[..., None] * (colour - region)

    def shadow(self, shape: Shape, *, opacity: Number = 0.35, soft: float = 6.0) -> None:
        """A soft dark `shape`, for what lies under things."""
        self.paint(shape, (0.05, 0.04, 0.06), opacity=opacity, shade=0, rim=0, soft=soft)
