"""Scenes that sound for as long as they move: one function a class, from a plan and its motion to the painted canvas."""

from __future__ import annotations

import numpy as np

from bench.lab.canvas import Canvas, bar, block, disc, ellipse, outline, polygon
from bench.lab.motion import Motion, smooth
from bench.lab.props import BLACK, OAK, STEEL, WHITE
from bench.lab.scenery import backdrop, hsv, skin
from bench.lab.world import Plan

FOAM = (0.97, 0.98, 1.0)


def violin(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A bow drawn across an upright violin, to the other side with each note; a finger on the neck."""
    still = backdrop(plan, rng)
    wood = np.array((hsv(0.09, 0.7, 0.7), hsv(0.05, 0.8, 0.58), hsv(0.01, 0.75, 0.42))[plan.material])
    big = 0.85 + 0.35 * plan.size
    still.shadow(ellipse(52, 72, 25 * big, 32 * big), soft=8)
    for dark, grow in ((0.55, 2.0), (1.0, 0.0)):
        still.paint(ellipse(48, 54, 16 * big + grow, 14 * big + grow), wood * dark, rim=0.2)
        still.paint(ellipse(48, 84, 20 * big + grow, 18 * big + grow), wood * dark, rim=0.2)
        still.paint(block(48, 68, 12 * big + grow, 14), wood * dark, rim=0)
    for side in (-1, 1):
        still.paint(bar(48 + side * 9 * big, 62, 48 + side * 8 * big, 76, 1.8), BLACK, rim=0)
    still.paint(block(48, 26, 4.5, 36, corner=2), BLACK)
    still.paint(block(48, 82, 7, 1.6, corner=0.8), OAK)
    canvas = still.film(plan.frames)
    playing = motion.held(release=0.06)
    blur = 0.25 + 0.6 * playing
    for x in (-2.6, 0.0, 2.6):
        canvas.paint(block(48 + x, 48, 0.5 + 0.35 * playing, 40, corner=0.4), WHITE, opacity=blur, rim=0, shade=0)
    hand, press = skin(rng), 14 + 12 * (motion.pitch() + 1)
    canvas.paint(bar(44, press + 2, -10, press + 68, 7), hand)
    canvas.paint(disc(47, press, 4.2), hand)
    lift = 3.5 * (1 - np.clip(4 * playing, 0, 1))
    x, y, lean = 48 + 30 * motion.travel(), 64 - lift, 0.07
    dx, dy = 40 * np.cos(lean), 40 * np.sin(lean)
    canvas.shadow(bar(x - dx, y + 5 - dy, x + dx, y + 5 + dy, 2), opacity=0.3, soft=3)
    canvas.paint(bar(x - dx, y - dy, x + dx, y + dy, 1.6), WHITE, rim=0)
    canvas.paint(bar(x - dx, y - 3.4 - dy, x + dx, y - 3 + dy, 2.2), hsv(0.04, 0.7, 0.38))
    canvas.paint(bar(x + dx + 4, y + 6, x + dx + 44, y + 70, 11), hsv(rng.random(), 0.5, 0.5))
    canvas.paint(ellipse(x + dx, y + dy, 6.5, 5.5), hand)
    return canvas


def water(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A jug tips and its stream fills a glass; drops leap where it lands."""
    still = backdrop(plan, rng, table=80)
    liquid = np.array(((0.97, 0.96, 0.92), hsv(rng.choice([0.08, 0.95]), 0.85, 0.95), (0.35, 0.66, 0.93))[plan.material])
    half, bottom, tall = 11 + 7 * plan.size, 88.0, 40.0
    still.shadow(ellipse(58, 89, half + 5, 3.5))
    still.paint(block(58, bottom - tall / 2, half, tall / 2 + 1, corner=2), FOAM, opacity=0.3, rim=0, shade=0.1)
    canvas = still.film(plan.frames)
    flow = motion.held(attack=0.03, release=0.05)
    poured = np.cumsum(flow) / 25
    level = bottom - 4 - 31 * np.minimum(poured * 0.7, 1)
    canvas.paint(block(58, (level + bottom) / 2, half - 1.5, (bottom - level) / 2, corner=1), liquid, opacity=0.88, rim=0.1)
    canvas.paint(ellipse(58, level, half - 1.5, 1.6), np.minimum(liquid * 1.15, 1), opacity=0.9, rim=0)
    ready = np.zeros(plan.frames)  # the jug tips a little before the stream starts, and for feints
    for e in motion.seen:
        length = 0.1 if e.silent else e.length
        near = smooth((motion.t - e.shown + 0.2) / 0.2) * smooth((e.shown + length + 0.15 - motion.t) / 0.15)
        ready = np.maximum(ready, near * (0.6 if e.silent else 1.0))
    tilt = 0.2 + (0.55 + 0.25 * plan.size) * ready
    c, s = np.cos(tilt), np.sin(tilt)
    lip_x, lip_y = 44.0, 27.0

    def at(u, v):  # from the jug's own axes, its lip at (0, 0)
        return lip_x + u * c - v * s, lip_y + u * s + v * c

    wide = 1.2 + 2.6 * flow
    on, bend = np.clip(flow * 5, 0, 1), lip_x + 9
    canvas.paint(bar(lip_x, lip_y, bend, lip_y + 9, wide), liquid, opacity=on, rim=0.15)
    canvas.paint(bar(bend, lip_y + 9, bend + 3.5, np.maximum(level, lip_y + 12), wide), liquid, opacity=on, rim=0.15)
    canvas.paint(ellipse(bend + 3.5, level, 4 + 4 * flow, 2), FOAM, opacity=0.8 * on, rim=0, soft=2)
    for _ in range(3):
        x, y = bend + 3.5 + rng.normal(0, 4, plan.frames), level - rng.uniform(2, 9, plan.frames)
        canvas.paint(disc(x, y, 1.1), FOAM, opacity=0.9 * on, rim=0, shade=0)
    jug = np.array(hsv(rng.random(), rng.uniform(0.3, 0.8), rng.uniform(0.55, 0.9)))
    hx, hy = at(-26.0, 12.0)
    canvas.paint(outline(ellipse(hx, hy, 8, 10, tilt), 3.5), jug * 0.7)
    canvas.paint(polygon([at(1.0, -1.0), at(-22.0, 0.0), at(-26.0, 27.0), at(-4.0, 27.0), at(-4.0, 7.0)]), jug, shade=0.35)
    canvas.paint(bar(*at(-19.0, 5.0), *at(-21.0, 21.0), 2.2), WHITE, opacity=0.45, rim=0, soft=2)
    hand = skin(rng)
    canvas.paint(bar(hx - 6, hy, hx - 40, hy + 14, 12), hsv(rng.random(), 0.5, 0.5))
    canvas.paint(ellipse(hx - 4, hy, 7, 8), hand)
    canvas.paint(outline(block(58, bottom - tall / 2, half, tall / 2 + 1, corner=2), 1.2), FOAM, opacity=0.8, rim=0)
    canvas.paint(bar(58 - half * 0.6, 54, 58 - half * 0.6, 80, 1.6), WHITE, opacity=0.4, rim=0, soft=1)
    return canvas


def dog(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A dog's head in profile: the jaw drops and the head jerks up with each bark."""
    canvas = backdrop(plan, rng).film(plan.frames)
    fur = np.array((hsv(0.06, 0.65, 0.45), hsv(0.1, 0.35, 0.9), hsv(0.07, 0.55, 0.28))[plan.material])
    other = np.array(((0.92, 0.86, 0.76), hsv(0.06, 0.6, 0.55), (0.75, 0.55, 0.32))[plan.material])
    big = 0.8 + 0.4 * plan.size
    opened = motion.held(attack=0.03, release=0.09, silent=0.3)
    lift = -0.28 * opened + 0.03 * np.sin(2 * np.pi * 0.7 * motion.t)
    jump = -3.5 * opened
    c, s = np.cos(lift), np.sin(lift)

    def at(u, v):  # from the head's own axes
        return 42 + big * (u * c - v * s), 44 + jump + big * (u * s + v * c)

    canvas.paint(bar(30, 62, 20, 112, 40 * big), fur * 0.85, shade=0.3)
    canvas.paint(bar(*at(-4.0, 10.0), 30, 70, 26 * big), fur * 0.9)
    canvas.paint(bar(24, 66, 42, 70, 5), hsv(rng.random(), 0.85, 0.8))
    drop = 0.15 + 0.75 * opened
    jx, jy = 6 + 25 * np.cos(drop), 9 + 25 * np.sin(drop)
    canvas.paint(polygon([at(8.0, 4.0), at(32.0, 5.0), at(jx, jy), at(8.0, 10.0)]), (0.45, 0.08, 0.10), rim=0, shade=0)
    canvas.paint(bar(*at(10.0, 9.0), *at(jx * 0.9, jy * 0.92), 5 * big), (0.90, 0.45, 0.48), rim=0.1)
    canvas.paint(bar(*at(6.0, 11.0), *at(jx, jy), 7 * big), other, shade=0.1)
    canvas.paint(ellipse(*at(0.0, 0.0), 19 * big, 16 * big, lift), fur, shade=0.35)
    canvas.paint(bar(*at(12.0, 2.0), *at(31.0, 3.0), 13 * big), other)
    for u in (19.0, 26.0):
        tooth = [at(u, 8.0), at(u + 3, 8.0), at(u + 1.5, 12.0)]
        canvas.paint(polygon(tooth), WHITE, opacity=np.clip(3 * opened, 0, 1), rim=0, shade=0)
    canvas.paint(ellipse(*at(37.0, -1.5), 4.5 * big, 3.6 * big), BLACK, shade=0.5)
    canvas.paint(disc(*at(8.0, -6.0), 3.2 * big), WHITE, rim=0)
    canvas.paint(disc(*at(8.8, -5.8), 2.2 * big), BLACK, rim=0)
    flop = 0.5 + 0.5 * opened
    ear = [
        at(-4.0, -14.0),
        at(-15.0, -11.0),
        at(-20 - 5 * flop, 8 - 12 * opened),
        at(-12 - 4 * flop, 14 - 10 * opened),
        at(-3.0, 0.0),
    ]
    canvas.paint(polygon(ear), fur * 0.7, shade=0.3)
    return canvas


def engine(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """An engine that shakes, its flywheel, its rev counter and the smoke of its exhaust."""
    still = backdrop(plan, rng, table=78)
    still.shadow(ellipse(40, 88, 38, 5))
    canvas = still.film(plan.frames)
    revs = motion.held(attack=0.05, release=0.16, silent=0.25)
    shiver = (0.25 + 2.0 * revs) * np.where(np.arange(plan.frames) % 2, 1.0, -1.0)
    x, y = 34 + 0.6 * shiver, 58 + shiver
    big = 0.85 + 0.3 * plan.size
    paint = np.array((hsv(0.33, 0.55, 0.45), hsv(0.6, 0.5, 0.6), hsv(0.99, 0.8, 0.75))[plan.material])
    for i in range(4):  # smoke: puffs that leave the pipe while the throttle is open
        age = np.mod(motion.t * 2.2 + i / 4, 1.0)
        fresh = np.interp(motion.t - age * 0.35, motion.t, revs)
        puff = disc(82 + 13 * age, 76 - 16 * age - 3 * i, 3 + 8 * age)
        canvas.paint(puff, (0.45, 0.45, 0.47), opacity=np.clip(1.1 * fresh * (1 - age), 0, 0.9), rim=0, shade=0.1, soft=6)
    canvas.paint(bar(x + 18, y + 14, 70, 78, 6), STEEL)
    canvas.paint(bar(64, 78, 82, 77, 8), np.array(STEEL) * 0.85)
    canvas.paint(block(x + 2, y + 8, 25 * big, 17 * big, corner=3), paint, shade=0.35)
    for i in range(3):
        canvas.paint(block(x - 12 + 13 * i, y - 11 * big, 4.8, 8 * big, corner=1.5), (0.35, 0.36, 0.40), shade=0.3)
        canvas.paint(block(x - 12 + 13 * i, y - 19 * big, 2.0, 3, corner=1), BLACK)
    for i in range(3):
        canvas.paint(block(x + 2, y + 15 + 3.5 * i, 20 * big, 0.8, corner=0.6), paint * 0.55, rim=0)
    turned = np.cumsum(0.35 + 2.2 * revs)
    wx, wy, wheel = x - 12, y + 8, 13 * big
    canvas.paint(disc(wx, wy, wheel), BLACK, shade=0.5)
    canvas.paint(disc(wx, wy, wheel - 2.5), STEEL, shade=0.3)
    for third in range(3):
        angle = turned + third * np.pi / 3
        dx, dy = (wheel - 4) * np.cos(angle), (wheel - 4) * np.sin(angle)
        canvas.paint(bar(wx - dx, wy - dy, wx + dx, wy + dy, 2.2), BLACK, rim=0)
    canvas.paint(disc(74, 28, 16), BLACK, shade=0.3)
    canvas.paint(disc(74, 28, 13.5), WHITE, shade=0.1)
    canvas.paint(bar(85, 34, 86, 28, 2.4), (0.85, 0.12, 0.1), rim=0)
    needle = -3.6 + 3.7 * np.clip(0.08 + revs, 0, 1.05)
    canvas.paint(bar(74, 28, 74 + 11 * np.cos(needle), 28 + 11 * np.sin(needle), 2.4), (0.85, 0.12, 0.1))
    canvas.paint(disc(74, 28, 2.5), BLACK)
    return canvas


def knife(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A blade drawn along a whetstone, there and back; sparks where it scrapes."""
    still = backdrop(plan, rng, table=66)
    stone = np.array(((0.80, 0.72, 0.60), (0.52, 0.52, 0.56), (0.34, 0.30, 0.30))[plan.material])
    still.shadow(ellipse(48, 86, 40, 5))
    still.paint(block(48, 79, 37, 8, corner=2), stone)
    grains = rng.uniform((13, 73), (83, 85), (26, 2))
    for x, y in grains:
        still.paint(disc(x, y, 0.5 + 0.35 * plan.material), stone * rng.choice([0.7, 1.25]), rim=0, shade=0)
    canvas = still.film(plan.frames)
    rubbing = motion.held(attack=0.03, release=0.05)
    feint = motion.held(silent=1.0) * (rubbing == 0)
    lift = 6 * (1 - np.clip(4 * rubbing, 0, 1)) + 3 * feint
    long = 30 + 14 * plan.size
    x, y = 42 + 24 * motion.travel(), 71 - lift
    canvas.shadow(bar(x - long * 0.5, y + 3 + lift, x + long * 0.5, y + 2 + lift, 3), opacity=0.4, soft=3)
    blade = [(x - long * 0.55, y - 1), (x - long * 0.4, y - 8), (x + long * 0.5, y - 10), (x + long * 0.5, y + 0.5)]
    canvas.paint(polygon(blade), STEEL, shade=0.4)
    canvas.paint(bar(x - long * 0.45, y - 1.5, x + long * 0.48, y - 0.6, 1.4), WHITE, rim=0)
    hand = skin(rng)
    canvas.paint(bar(x + long * 0.5, y - 5, x + long * 0.5 + 20, y - 10, 7.5), hsv(rng.choice([0.0, 0.07, 0.6]), 0.5, 0.25))
    canvas.paint(bar(x + long * 0.5 + 14, y - 9, x + long * 0.5 + 66, y - 90, 13), hsv(rng.random(), 0.5, 0.5))
    canvas.paint(ellipse(x + long * 0.5 + 12, y - 8, 8, 6.5, -0.3), hand)
    for _ in range(5):
        sx, sy = x - long * 0.4 + rng.uniform(-7, 14, plan.frames), y + rng.uniform(-13, 0, plan.frames)
        on = rubbing * (rng.random(plan.frames) < 0.8)
        canvas.paint(disc(sx, sy, 1.2), (1.0, 0.85, 0.35), opacity=on, rim=0, shade=0, soft=0.8)
    return canvas


def whistle(plan: Plan, motion: Motion, rng: np.random.Generator) -> Canvas:
    """A face in profile that blows a whistle: the cheek swells, air leaves the whistle."""
    canvas = backdrop(plan, rng).film(plan.frames)
    blow = motion.held(attack=0.03, release=0.06)
    cheek = motion.held(attack=0.03, release=0.1, silent=0.6)
    face, shirt = np.array(skin(rng)), hsv(rng.random(), 0.6, 0.6)
    hair = hsv(rng.choice([0.05, 0.1, 0.0]), rng.uniform(0.2, 0.7), rng.uniform(0.12, 0.7))
    y = 46 - 1.2 * cheek
    canvas.paint(block(20, 100, 34, 20, corner=12), shirt, shade=0.3)
    canvas.paint(bar(26, 62, 24, 84, 19), face * 0.9)
    canvas.paint(ellipse(27, y - 6, 25, 26), hair, shade=0.3)
    canvas.paint(ellipse(32, y, 21, 24), face, shade=0.25)
    canvas.paint(polygon([(48, y - 9), (58, y + 3), (50, y + 5)]), face, rim=0.3)
    canvas.paint(ellipse(24, y + 1, 4, 6), face * 0.85)
    shut = 2.6 - 1.7 * np.clip(cheek * 1.5, 0, 1)
    canvas.paint(ellipse(44, y - 6, 2.6, shut), BLACK, rim=0)
    canvas.paint(bar(39, y - 12 - 2 * cheek, 48, y - 13 - 2 * cheek, 2), hair, rim=0)
    flushed = np.clip(face * np.array([1.1, 0.82, 0.8]), 0, 1)
    canvas.paint(disc(42, y + 8, 6 + 6.5 * cheek), flushed, opacity=0.35 + 0.6 * cheek, shade=0.3, rim=0.15, soft=1.5)
    canvas.paint(ellipse(52, y + 12, 3.2, 2.6), np.array((0.75, 0.3, 0.3)))
    colour = np.array((OAK, hsv(rng.choice([0.0, 0.15, 0.58]), 0.85, 0.9), STEEL)[plan.material])
    big = 0.8 + 0.45 * plan.size
    shiver = 0.7 * blow * np.where(np.arange(plan.frames) % 2, 1.0, -1.0)
    wx, wy = 66 + 3 * big, y + 14 + shiver
    canvas.paint(bar(53, y + 12, wx, wy - 3 * big, 5.5 * big), colour)
    canvas.paint(disc(wx, wy, 7.5 * big), colour, shade=0.45)
    angle = np.cumsum(1.9 * blow)
    canvas.paint(disc(wx + 2.5 * big * np.cos(angle), wy + 2.5 * big * np.sin(angle), 2.6 * big), BLACK, rim=0)
    for i in (-1, 0, 1):
        reach = 6 + 9 * blow + 2 * np.sin(2.3 * np.arange(plan.frames) + i)
        tilt = -0.9 + 0.5 * i
        x0, y0 = wx + 10 * big * np.cos(tilt), wy + 10 * big * np.sin(tilt)
        line = bar(x0, y0, x0 + reach * np.cos(tilt), y0 + reach * np.sin(tilt), 1.8)
        canvas.paint(line, WHITE, opacity=np.clip(2 * blow, 0, 0.95), rim=0, shade=0)
    return canvas
