"""What several scenes hold: materials, fists, the flare of an impact."""

from __future__ import annotations

import numpy as np

from bench.lab.canvas import Canvas, bar, disc, ellipse
from bench.lab.motion import Motion
from bench.lab.scenery import hsv, skin

BRASS, STEEL, IRON, COPPER = (0.86, 0.68, 0.26), (0.72, 0.76, 0.80), (0.24, 0.24, 0.27), (0.80, 0.45, 0.28)
PINE, OAK, EBONY, BRICK = (0.90, 0.74, 0.48), (0.66, 0.44, 0.24), (0.27, 0.17, 0.13), (0.70, 0.32, 0.24)
WHITE, BLACK = (0.95, 0.95, 0.93), (0.10, 0.10, 0.12)


def spark(canvas: Canvas, x, y, motion: Motion, reach: float = 7.0) -> None:
    """A short flare where things meet, as bright as the impact is hard."""
    bright = motion.after(0.05)
    canvas.paint(disc(x, y, reach), (1.0, 0.97, 0.8), opacity=0.75 * bright, shade=0, rim=0, soft=reach)


def fist(canvas: Canvas, x, y, to: tuple[float, float], rng: np.random.Generator) -> None:
    """A hand at (x, y) and its sleeve, which leaves the picture towards x + to[0], y + to[1]."""
    canvas.paint(bar(x, y, x + to[0], y + to[1], 11), hsv(rng.random(), rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.7)))
    canvas.paint(ellipse(x, y, 8, 7), skin(rng))
