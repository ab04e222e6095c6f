"""Scenes of bare hands on things: one function a class, from a plan and its motion to the painted canvas."""

from __future__ import annotations

import numpy as np

from bench.lab.canvas import Canvas, bar, block, disc, ellipse, outline, polygon, wave
from bench.lab.motion import Motion
from bench.lab.props import BLACK, OAK, STEEL, WHITE, spark
from bench.lab.scenery import backdrop, hsv, skin
from bench.lab.world import Plan


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
