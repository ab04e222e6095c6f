"""Scenes in which something strikes something: one function a class, from a plan and its motion to the painted canvas."""

from __future__ import annotations

import numpy as np

from bench.lab.canvas import Canvas, bar, block, disc, ellipse, outline, polygon
from bench.lab.motion import Motion, mix
from bench.lab.props import BLACK, BRASS, BRICK, COPPER, EBONY, IRON, OAK, PINE, STEEL, WHITE, fist, spark
from bench.lab.scenery import backdrop, hsv, skin
from bench.lab.world import Plan


def metal_pan(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A pan on a hook, struck by a wooden spoon from the right; it shivers."""
    still = backdrop(plan, rng)
    metal = (IRON, STEEL, COPPER)[plan.material]
    r, h = 16 + 9 * plan.size, motion.height()
    still.paint(bar(30, 9, 52, 9, 5), hsv(rng.random(), 0.3, 0.35))
    canvas = still.film(plan.frames)
    swing = 2.6 * motion.shake(9, 0.18)
    x, y = 41 - swing, 30 + r
    canvas.shadow(disc(x + 3, y + 4, r), opacity=0.4)
    canvas.paint(bar(41, 10, x, y - r + 2, 4.5), np.array(metal) * 0.75)
    canvas.paint(disc(x, y, r), metal, shade=0.45)
    canvas.paint(disc(x, y, r - 3.5), np.array(metal) * 0.85, shade=-0.3)
    flash = motion.after(0.12)
    canvas.paint(ellipse(x - r * 0.35, y - r * 0.35, r * 0.3, r * 0.16, -0.8), WHITE, opacity=0.3 + 0.6 * flash, rim=0, soft=3)
    tip_x, tip_y = x + r + 2 + 25 * h, y + 3 - 12 * h
    spark(canvas, x + r, y + 3, motion)
    canvas.paint(bar(tip_x + 4, tip_y, tip_x + 42, tip_y + 15 + 4 * h, 3.4), PINE)
    canvas.paint(ellipse(tip_x + 2, tip_y, 6, 4, 0.35), PINE)
    fist(canvas, tip_x + 40, tip_y + 15 + 4 * h, (30, 26), rng)
    return canvas


def wood_block(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A bar of wood on two feet, struck from above by a mallet with a ball."""
    still = backdrop(plan, rng, table=70)
    wood = np.array((PINE, OAK, EBONY)[plan.material])
    half, top = 17 + 15 * plan.size, 58.0
    still.shadow(ellipse(46, 76, half + 4, 5))
    for side in (-0.6, 0.6):
        still.paint(block(46 + side * half, 73, 4, 3.5), BLACK)
    still.paint(block(46, top + 6.5, half, 6.5, corner=2), wood)
    for _ in range(5):
        x = 46 + rng.uniform(-0.7, 0.7) * half
        still.paint(block(x, top + rng.uniform(3, 11), half * 0.25, 0.5, corner=0.4), wood * 0.7, opacity=0.7, rim=0)
    canvas = still.film(plan.frames)
    h, x = motion.height(), 46 + 0.62 * half * motion.pitch()
    head = hsv(rng.random(), 0.75, 0.8)
    spark(canvas, x, top, motion, 6)
    y = top - 6 - 34 * h
    canvas.shadow(ellipse(x, top + 1, 6 - 2 * h, 1.6), opacity=0.5 * (1 - h), soft=3)
    canvas.paint(bar(x, y, x + 34, y - 10 + 16 * h, 3), OAK)
    fist(canvas, x + 36, y - 10 + 16 * h, (34, 12), rng)
    canvas.paint(disc(x, y, 6), head, shade=0.4)
    return canvas


def ball(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A ball that a hand keeps bouncing on the floor; it flattens as it lands."""
    still = backdrop(plan, rng, table=74)
    r, floor = 8 + 6 * plan.size, 84.0
    canvas = still.film(plan.frames)
    h = motion.height(rise=0.32, fall=0.26, rest=0.5)
    flat = 0.38 * motion.after(0.04)
    x = 46 + 6 * np.sin(2 * np.pi * (motion.t * rng.uniform(0.1, 0.4) + rng.random()))
    y = floor - r * (1 - flat) - 44 * h
    canvas.shadow(ellipse(x, floor, r * (1.1 - 0.5 * h), 3 - 1.5 * h), opacity=0.6 - 0.35 * h, soft=4)
    colour = np.array((hsv(0.14, 0.55, 0.95), hsv(rng.choice([0.0, 0.35, 0.6]), 0.8, 0.85), (0.85, 0.42, 0.14))[plan.material])
    canvas.paint(ellipse(x, y, r * (1 + 0.7 * flat), r * (1 - flat)), colour, shade=0.4)
    turn = 2 * np.pi * (0.5 * motion.t + rng.random())
    stripe = outline(ellipse(x, y, r * 0.75, np.maximum(r * 0.3 * np.abs(np.cos(turn)) * (1 - flat), 0.8), turn * 0.3), 1.6)
    canvas.paint(stripe, colour * (0.45 if plan.material else 0.8), rim=0, opacity=0.8)
    canvas.paint(disc(x - r * 0.35, y - r * 0.4, r * 0.2), WHITE, opacity=0.5, rim=0, soft=2)
    palm_y, hand = floor - 2 * r - 44 * np.maximum(h, 0.38) - 3.5, skin(rng)
    canvas.paint(bar(x + 5, palm_y - 1, x + 68, palm_y - 50, 8), hsv(rng.random(), 0.5, 0.55))
    canvas.paint(ellipse(x, palm_y, 10, 3.8, -0.15), hand)
    return canvas


def nail(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A hammer drives a nail into a board, deeper with each blow that is seen."""
    still = backdrop(plan, rng, table=84)
    board = np.array((PINE, OAK, BRICK)[plan.material])
    still.paint(block(48, 77, 44, 9, corner=1.5), board)
    for _ in range(6):
        still.paint(block(rng.uniform(12, 84), rng.uniform(71, 84), 9, 0.5, corner=0.4), board * 0.7, opacity=0.7, rim=0)
    canvas = still.film(plan.frames)
    deep = np.zeros(plan.frames)
    for e in motion.seen:
        deep += np.where((motion.t >= e.shown - 1e-6) & (not e.silent), 2.2 * e.strength, 0)
    x, top = 38.0, 50 + 4 * (1 - plan.size) + np.minimum(deep, 14)
    h = motion.height()
    canvas.paint(bar(x, top, x, 69, 2.2), STEEL)
    canvas.paint(block(x, top + 0.5, 4, 1.2, corner=0.8), STEEL)
    spark(canvas, x, top, motion)
    s = 0.85 + 0.35 * plan.size
    tilt = -0.75 * h
    hx, hy = x + 2 * h, top - 6 * s - 32 * h
    gx, gy = hx + 40 * np.cos(tilt), hy + 40 * np.sin(tilt) + 2
    canvas.paint(bar(hx, hy, gx, gy, 4.2), hsv(rng.choice([0.0, 0.08, 0.6]), 0.7, 0.65))
    canvas.paint(block(hx, hy, 5 * s, 7 * s, tilt, corner=1.2), (0.36, 0.38, 0.43), shade=0.4)
    canvas.paint(block(hx - 5.2 * s * np.sin(tilt), hy + 5.2 * s * np.cos(tilt), 5.6 * s, 1.8 * s, tilt), STEEL)
    fist(canvas, gx, gy, (34, 18), rng)
    return canvas


def bell(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A bell that swings under a beam; its clapper meets the rim at the end of each swing."""
    still = backdrop(plan, rng)
    metal = np.array(((0.36, 0.37, 0.40), BRASS, (0.84, 0.86, 0.90))[plan.material])
    still.paint(block(48, 8, 40, 5, corner=1.5), OAK)
    canvas = still.film(plan.frames)
    near, side = motion.closeness(reach=0.3)
    lean = 0.42 * near * side
    big = 0.8 + 0.4 * plan.size
    c, s = np.cos(lean), np.sin(lean)

    def at(u, v):  # from the bell's own axes
        return 48 + big * (u * c - v * s), 14 + big * (u * s + v * c)

    edge = [(-4, 4), (-10, 8), (-14, 18), (-16, 32), (-22, 43), (22, 43), (16, 32), (14, 18), (10, 8), (4, 4)]
    canvas.shadow(polygon([(x + 4, y + 4) for x, y in (at(*p) for p in edge)]), opacity=0.3)
    hang = np.clip(lean * 0.2 + 0.36 * near * side, -0.4, 0.4)
    ball_x, ball_y = at(48 * np.sin(hang), 48 * np.cos(hang) + 1)
    canvas.paint(bar(*at(0.0, 20.0), ball_x, ball_y, 2.5), IRON)
    canvas.paint(disc(ball_x, ball_y, 4.6 * big), IRON, shade=0.5)
    bright = mix(metal, np.minimum(metal * 1.25, 1), motion.after(0.15))
    canvas.paint(bar(48, 8, *at(0.0, 6.0), 5), IRON)
    canvas.paint(polygon([at(*p) for p in edge]), bright, shade=0.5)
    canvas.paint(bar(*at(-21.0, 42.0), *at(21.0, 42.0), 4 * big), bright * 0.8)
    canvas.paint(bar(*at(-7.0, 14.0), *at(-10.0, 30.0), 2.6 * big), WHITE, opacity=0.5, rim=0, soft=2)
    return canvas
