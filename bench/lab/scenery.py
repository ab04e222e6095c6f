"""What surrounds the gesture: walls, tables, somebody who walks by, and a camera held by hand. None of it tells the class."""

from __future__ import annotations

from colorsys import hsv_to_rgb

import numpy as np
from scipy.ndimage import gaussian_filter1d, zoom

from bench.lab.canvas import EDGE, SIDE, Canvas, block, disc, ellipse
from bench.lab.world import FPS, SIZE, Plan

SKIN = ((0.96, 0.80, 0.68), (0.88, 0.66, 0.50), (0.72, 0.49, 0.34), (0.52, 0.33, 0.22), (0.36, 0.23, 0.16))


def hsv(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    return hsv_to_rgb(hue % 1.0, float(np.clip(saturation, 0, 1)), float(np.clip(value, 0, 1)))


def skin(rng: np.random.Generator) -> tuple[float, float, float]:
    return SKIN[rng.integers(len(SKIN))]


def backdrop(plan: Plan, rng: np.random.Generator, *, table: float | None = None) -> Canvas:
    """A wall with what hangs or stands there, one frame; a table top from `table` (y) downwards, if any."""
    hue, value = rng.random(), rng.uniform(0.55, 0.92)
    wall = np.array(hsv(hue, rng.uniform(0.05, 0.3), value), np.float32)
    pixels = np.empty((1, SIDE, SIDE, 3), np.float32)
    pixels[0] = wall * (1 + 0.10 * _clouds(rng, 5)[..., None] + 0.05 * _clouds(rng, 26)[..., None])
    canvas = Canvas(pixels, zoom=0.86 + 0.3 * plan.near, shift=plan.place)
    _furnish(canvas, wall, rng)
    if table is not None:
        _table(canvas, table, rng)
    _lamp(pixels[0], rng)
    return canvas


def _clouds(rng: np.random.Generator, cells: int) -> np.ndarray:
    """[SIDE, SIDE] smooth random field, about -1 ... 1, with `cells` features across."""
    field = np.asarray(zoom(rng.standard_normal((cells, cells)), SIDE / cells, order=1), np.float32)
    return field[:SIDE, :SIDE] * np.float32(0.7)


def _furnish(canvas: Canvas, wall: np.ndarray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(0, 4))):
        x, y = float(rng.uniform(2, 94)), float(rng.uniform(4, 50))
        kind, colour = rng.integers(3), 0.6 * wall + 0.4 * np.array(hsv(rng.random(), 0.5, rng.uniform(0.3, 0.9)))
        if kind == 0:  # a picture in its frame
            w, h = rng.uniform(7, 15), rng.uniform(7, 13)
            canvas.shadow(block(x + 1, y + 1.5, w, h), opacity=0.25, soft=4)
            canvas.paint(block(x, y, w, h, corner=1), colour * 0.6)
            canvas.paint(block(x, y, w - 2.5, h - 2.5, corner=0.5), colour, shade=0.1)
        elif kind == 1:  # a shelf
            canvas.shadow(block(x, y + 3, 17, 2), opacity=0.3, soft=5)
            canvas.paint(block(x, y, 17, 1.8), colour * 0.8)
            for i in range(3):
                tall = float(rng.uniform(4, 9))
                canvas.paint(block(x - 10 + 6 * i, y - 1.5 - tall / 2, 1.8, tall / 2, corner=0.5), hsv(rng.random(), 0.35, 0.6))
        else:  # a ball of light or a plate, out of focus
            canvas.paint(disc(x, y, rng.uniform(4, 11)), colour, opacity=0.6, rim=0, soft=6)


def _table(canvas: Canvas, y: float, rng: np.random.Generator) -> None:
    wood = np.array(hsv(rng.uniform(0.03, 0.14), rng.uniform(0.25, 0.6), rng.uniform(0.3, 0.75)))
    canvas.shadow(block(48, y + 20, 90, 21), opacity=0.4, soft=8)
    canvas.paint(block(48, y + 60, 90, 60), wood, shade=0.1, rim=0.25)
    for _ in range(9):
        x, at, long = rng.uniform(-5, 100), y + 2 + 26 * rng.random() ** 1.2, rng.uniform(8, 30)
        canvas.paint(block(x, at, long, 0.45, corner=0.4), wood * 0.72, opacity=0.6, rim=0, soft=0.5)


def _lamp(pixels: np.ndarray, rng: np.random.Generator) -> None:
    """Light from one side, the corners a little darker."""
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.03, 0.18)
    side = strength * (np.cos(angle) * line[None, :] + np.sin(angle) * line[:, None])
    corner = 0.14 * (line[None, :] ** 2 + line[:, None] ** 2) ** 1.5 / 2.8
    pixels *= (1 + side - corner)[..., None]


def walk_by(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Somebody close to the camera, out of focus: covers the middle for about a third of a second."""
    if plan.passer is None:
        return
    t = np.arange(plan.frames) / FPS
    x = 48 + (t - plan.passer) * 110 * (1 if rng.random() < 0.5 else -1)
    coat = hsv(rng.random(), 0.35, rng.uniform(0.12, 0.4))
    step = 1.5 * np.sin(2 * np.pi * 1.8 * t)
    canvas.paint(block(x, 66 + step, 46, 62, corner=24), coat, rim=0, soft=5, shade=0.3)
    canvas.paint(ellipse(x, -2 + step, 17, 16), np.array(coat) * 0.5, rim=0, soft=5)


def shoot(canvas: Canvas, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """uint8 [T, 96, 96, 3]: the canvas through a camera that drifts by up to 3 pixels, with its exposure and its grain."""
    frames = plan.frames
    drift = gaussian_filter1d(rng.standard_normal((frames + 40, 2)), 6, axis=0)[20:-20] * rng.uniform(0.4, 4.5)
    drift += gaussian_filter1d(rng.standard_normal((frames, 2)), 0.7, axis=0) * 0.18
    at = np.clip(EDGE + drift, 0.0, 2 * EDGE - 0.01)
    exposure = rng.uniform(0.82, 1.12) * (1 + 0.02 * gaussian_filter1d(rng.standard_normal(frames), 5))
    warmth = 1 + rng.uniform(-0.05, 0.05) * np.array([1, 0, -1])
    gain = (255 * exposure[:, None] * warmth).astype(np.float32)
    grain = (rng.standard_normal((SIZE + 64, SIZE + 64, 1)) * rng.uniform(1.0, 3.5)).astype(np.float32)
    found = np.empty((frames, SIZE, SIZE, 3), np.uint8)
    for i, (y, x) in enumerate(at):
        top, left = int(y), int(x)
        fy, fx = np.float32(y - top), np.float32(x - left)
        seen = canvas.pixels[i, top : top + SIZE + 1, left : left + SIZE + 1]
        seen = seen[:-1] * (1 - fy) + seen[1:] * fy
        seen = seen[:, :-1] * (1 - fx) + seen[:, 1:] * fx
        gy, gx = rng.integers(0, 64, 2)
        seen = seen * gain[i] + grain[gy : gy + SIZE, gx : gx + SIZE]
        found[i] = np.clip(seen + 0.5, 0, 255)
    return found if not plan.mirrored else np.ascontiguousarray(found[:, :, ::-1])
