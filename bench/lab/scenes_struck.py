"""Scenes in which something touches something: one function a class, from a plan and its motion to the painted canvas."""

from __future__ import annotations

import numpy as np

from bench.lab.canvas import Canvas, bar, block, disc, ellipse, outline, polygon, wave
from bench.lab.motion import Motion, mix
from bench.lab.scenery import backdrop, hsv, skin
from bench.lab.world import Plan

BRASS, STEEL, IRON, COPPER = (0.86, 0.68, 0.26), (0.72, 0.76, 0.80), (0.24, 0.24, 0.27), (0.80, 0.45, 0.28)
PINE, OAK, EBONY, BRICK = (0.90, 0.74, 0.48), (0.66, 0.44, 0.24), (0.27, 0.17, 0.13), (0.70, 0.32, 0.24)
WHITE, BLACK = (0.95, 0.95, 0.93), (0.10, 0.10, 0.12)


def spark(canvas: Canvas, x, y, motion: Motion, reach: float = 7.0) -> None:
    """A short flare where things meet, as bright as the impact is hard."""
    bright = motion.after(0.05)
    canvas.paint(disc(x, y, reach), (1.0, 0.97, 0.8), opacity=0.75 * bright, shade=0, rim=0, soft=reach)


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
    canvas.paint(ellipse(tip_x + 40, tip_y + 16 + 4 * h, 8, 7), skin(rng))
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
    canvas.paint(disc(x + 36, y - 11 + 17 * h, 7), skin(rng))
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
    canvas.paint(bar(x + 5, palm_y - 1, x + 34, palm_y - 24, 8), hsv(rng.random(), 0.5, 0.55))
    canvas.paint(ellipse(x, palm_y, 10, 3.8, -0.15), hand)
    return canvas


def guitar(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """Strings over the hole of a guitar, plucked from below; the plucked one swings."""
    still = backdrop(plan, rng)
    wood = np.array((hsv(0.09, 0.6, 0.82), hsv(0.06, 0.75, 0.6), hsv(0.02, 0.7, 0.38))[plan.material])
    big = 1.0 + 0.22 * plan.size
    still.shadow(ellipse(66, 56, 44 * big, 37 * big), soft=8)
    still.paint(ellipse(68, 52, 42 * big, 36 * big), wood, shade=0.25)
    still.paint(block(9, 52, 32, 13, corner=1), wood * 0.5)
    for x in (-6, 4, 14, 24, 34):
        still.paint(block(x, 52, 0.7, 13, corner=0.4), STEEL, rim=0)
    still.paint(disc(57, 52, 15 * big), wood * 0.35, shade=-0.2)
    still.paint(outline(disc(57, 52, 16.5 * big), 2), wood * 1.25, rim=0)
    for y in (43.0, 47.5, 57.0, 61.5):
        still.paint(wave(-10, 100, y, 0.0, 0.9), STEEL, rim=0, shade=0)
    canvas = still.film(plan.frames)
    ring = motion.after(0.16 + 0.3 * (1 - plan.damp), silent=0.0)
    beat = np.where(np.arange(plan.frames) % 2, 1.0, -1.0)
    thick = 1.3 + 0.9 * plan.size
    for sign in (1, -1):  # both ends of the swing, as the eye sees it
        canvas.paint(wave(12, 96, 52, sign * 4.2 * ring * beat, thick), WHITE, rim=0, shade=0, opacity=0.55 + 0.25 * sign)
    hand, press = skin(rng), 4 + 15 * (motion.pitch() + 1)
    canvas.paint(bar(press, 54, press - 6, 96, 6), hand)
    canvas.paint(disc(press, 53, 4), hand)
    h = motion.height(rise=0.16, fall=0.1, rest=0.5)
    x, y = 66.0, 53 + 16 * h
    canvas.paint(bar(x + 7, y + 9, x + 30, y + 48, 13), hand)
    canvas.paint(ellipse(x + 8, y + 10, 8, 7, 0.6), hand)
    canvas.paint(polygon([(x, y), (x + 3, y + 9), (x + 9, y + 4)]), hsv(rng.random(), 0.8, 0.9))
    return canvas


def maraca(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A rattle in a fist, jerked down and stopped."""
    canvas = backdrop(plan, rng).film(plan.frames)
    h = motion.height(rise=0.16, fall=0.1, rest=0.3)
    shiver = 2.0 * motion.shake(12, 0.08)
    lean = 0.25 + 0.9 * (0.35 - h)
    x, y = 42 + 3 * h, 72 - 18 * h + shiver
    r = 11 + 6 * plan.size
    long = 22 + r
    head_x, head_y = x + long * np.sin(lean), y - long * np.cos(lean)
    colour = np.array((hsv(0.1, 0.6, 0.75), hsv(0.03, 0.75, 0.6), hsv(rng.choice([0.33, 0.58, 0.85]), 0.85, 0.9))[plan.material])
    canvas.shadow(ellipse(head_x + 4, head_y + 5, r, r * 1.2, lean), opacity=0.3)
    canvas.paint(bar(x - 4 * np.sin(lean), y + 4 * np.cos(lean), head_x, head_y, 5), OAK)
    canvas.paint(ellipse(head_x, head_y, r, r * 1.22, lean), colour, shade=0.4)
    for across in (-0.35, 0.35):
        bx, by = head_x + across * r * np.sin(lean), head_y - across * r * np.cos(lean)
        canvas.paint(ellipse(bx, by, r * 0.86, 1.5, lean), colour * 0.4 + 0.5, rim=0)
    arm, hand = hsv(rng.random(), 0.5, 0.5), skin(rng)
    canvas.paint(bar(x - 2, y + 4, x - 20, y + 40, 13), arm)
    canvas.paint(ellipse(x, y, 8.5, 7, lean), hand)
    for i in range(4):
        canvas.paint(bar(x - 4, y - 5 + 3.2 * i, x + 6, y - 5 + 3.2 * i, 3), np.array(hand) * 0.93, rim=0.2)
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
    canvas.paint(ellipse(gx, gy, 9, 7, tilt), skin(rng))
    return canvas


def hands(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """Two hands that meet in the middle."""
    canvas = backdrop(plan, rng).film(plan.frames)
    h = motion.height(rise=0.18, fall=0.12)
    big = 0.85 + 0.35 * plan.size
    colour = np.array((hsv(rng.random(), 0.65, 0.6), hsv(0.07, 0.5, 0.28), skin(rng))[plan.material])
    sleeve = hsv(rng.random(), 0.6, 0.6)
    spark(canvas, 48, 44, motion, 9)
    for side in (-1, 1):
        x, y, tilt = 48 + side * (5.5 * big + 19 * h), 50 - 2 * h, side * (0.12 + 0.45 * h)
        canvas.paint(bar(x + side * 3, y + 12, x + side * 24, y + 62, 15 * big), sleeve)
        for i in range(4):
            long = (17, 21, 20, 15)[i] * big
            fx, fy = x + side * (-3 + 2.3 * i) * big, y - 5
            canvas.paint(bar(fx, fy, fx + long * np.sin(tilt), fy - long * np.cos(tilt), 4.6 * big), colour * (1 - 0.05 * i))
        canvas.paint(ellipse(x, y + 3, 7 * big, 11 * big, tilt), colour, shade=0.25 * side)
        canvas.paint(bar(x - side * 2, y + 5, x - side * 1, y - 8 * big, 4.2 * big), colour * 1.05)
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
    ball_x, ball_y = at(44 * np.sin(hang), 44 * np.cos(hang) + 2)
    canvas.paint(bar(*at(0.0, 20.0), ball_x, ball_y, 2.5), IRON)
    canvas.paint(disc(ball_x, ball_y, 4.6 * big), IRON, shade=0.5)
    bright = mix(metal, np.minimum(metal * 1.25, 1), motion.after(0.15))
    canvas.paint(bar(48, 8, *at(0.0, 6.0), 5), IRON)
    canvas.paint(polygon([at(*p) for p in edge]), bright, shade=0.5)
    canvas.paint(bar(*at(-21.0, 42.0), *at(21.0, 42.0), 4 * big), bright * 0.8)
    canvas.paint(bar(*at(-7.0, 14.0), *at(-10.0, 30.0), 2.6 * big), WHITE, opacity=0.5, rim=0, soft=2)
    return canvas


def keyboard(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A finger on a keyboard under a screen: the key goes down and a letter appears."""
    still = backdrop(plan, rng, table=52)
    case = np.array(((0.88, 0.86, 0.80), (0.70, 0.72, 0.76), (0.16, 0.17, 0.20))[plan.material])
    cap = np.array(((0.97, 0.96, 0.92), (0.28, 0.29, 0.32), hsv(rng.random(), 0.5, 0.75))[plan.material])
    wide = 3.6 + 1.1 * plan.size
    still.paint(block(48, 21, 33, 20, corner=2), BLACK)
    still.paint(block(48, 21, 30, 17, corner=1), (0.12, 0.2, 0.3), shade=0.1)
    still.shadow(block(48, 76, 8.6 * wide, 15), opacity=0.5)
    still.paint(block(48, 73, 8.2 * wide, 14.5, corner=2.5), case)
    rows = (64.0, 73.0, 82.0)
    for i, y in enumerate(rows):
        for j in range(7):
            still.paint(block(48 + (j - 3 + 0.15 * (i - 1)) * 2.15 * wide, y, wide * 0.95, 3.7, corner=1), cap)
    canvas = still.film(plan.frames)
    h = motion.height(rise=0.14, fall=0.09, rest=0.4)
    row = rng.integers(0, 3)
    column = np.round(3 * motion.pitch())
    kx, ky = 48 + (column + 0.15 * (row - 1)) * 2.15 * wide, rows[row]
    down = motion.after(0.08)
    canvas.paint(block(kx, ky + 1.0, wide * 0.95, 3.7, corner=1), cap * 0.45, opacity=np.clip(1.6 * down, 0, 1))
    typed = 0
    for e in motion.seen:
        if not e.silent:
            x, y = 23 + 6.2 * (typed % 9), 11 + 8 * (typed // 9)
            lit = (motion.t >= e.shown - 1e-6).astype(float)
            canvas.paint(block(x, y, 1.8, 2.6, corner=0.6), (0.55, 1.0, 0.65), opacity=lit, rim=0, shade=0)
            typed += 1
    hand = skin(rng)
    x, y = kx + 1, ky - 1 - 15 * h
    canvas.shadow(ellipse(kx + 2, ky + 2, 7, 3), opacity=0.45 * (1 - 0.6 * h), soft=4)
    canvas.paint(bar(x + 16, y + 18, x + 34, y + 60, 15), hsv(rng.random(), 0.5, 0.5))
    canvas.paint(ellipse(x + 14, y + 14, 9.5, 8, 0.7), hand)
    for i in (1, 2, 3):
        canvas.paint(bar(x + 10 + 4 * i, y + 12, x + 4 + 6.5 * i, y + 3 + 1.5 * i - 2 * h, 4.4), np.array(hand) * (1 - 0.06 * i))
    canvas.paint(bar(x + 9, y + 11, x, y, 5), hand)
    return canvas
