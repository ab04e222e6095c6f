"""Sounds that last as long as the gesture: strokes, calls, streams. One function a class, one wave per heard event."""

from __future__ import annotations

import numpy as np

from bench.lab.struck import brightness, deeper
from bench.lab.tones import TOP, band, fade, filtered, harmonics, modes, play, ramp, table, wander
from bench.lab.world import RATE, Event, Plan

Waves = list[np.ndarray]


class Touch:
    """How a clip's strokes swell, tremble and end: drawn alike for all classes, so that energy does not tell the class."""

    def __init__(self, rng: np.random.Generator):
        self.attack = 0.008 * 4 ** rng.random()  # seconds
        self.dying = rng.choice([0.0, 1.0]) * rng.uniform(0.3, 4.0)  # e-foldings over a stroke
        self.release = rng.uniform(0.03, 0.1)  # seconds
        self.hz = 4.0 * 8 ** rng.random()  # of the trembling
        self.depth = rng.choice([0.0, 1.0]) * rng.uniform(0.1, 0.6)

    def __call__(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """[n] the amplitude of one stroke, 1 at its strongest."""
        u = np.arange(n, dtype=np.float32) / n
        trembling = 1 - self.depth * (0.5 - 0.5 * np.cos(2 * np.pi * self.hz * u * (n / RATE)))
        uneven = np.exp(0.12 * wander(rng, n, 12))
        return fade(n, self.attack, self.release) * np.exp(-self.dying * u) * trembling * uneven


def violin(plan: Plan, rng: np.random.Generator) -> Waves:
    """A saw-toothed string with vibrato through a body of wood, and the hiss of the hair."""
    base = 300 * deeper(plan, 1.4)
    touch, found = Touch(rng), []
    for e in plan.heard:
        t = ramp(e.length + 0.03)
        hz = base * 2.0 ** (round(6 * e.pitch) / 12)
        k = np.arange(1, harmonics(hz * 1.03) + 1)
        slope = 1.35 - 0.25 * brightness(plan)
        body = 0.35 + sum(np.exp(-((np.log2(hz * k / f) / 0.45) ** 2)) for f in (480, 1100, 2600))
        bend = 1 + 0.008 * np.sin(2 * np.pi * (rng.uniform(5, 6.5) * t + rng.random())) * np.minimum(t / 0.15, 1)
        tone = play(table(body / k**slope * rng.choice([-1, 1], len(k))), hz * bend)
        hiss = band(rng, len(t), 1500, 6000) * 0.05
        found.append((tone + hiss) * touch(rng, len(t)))
    return found


def water(plan: Plan, rng: np.random.Generator) -> Waves:
    """Hundreds of bubbles, each a chirp that rises while it dies; smaller ones as the glass fills."""
    centre = 620 * deeper(plan, 0.8)
    whole = sum(e.length * e.strength for e in plan.heard) + 0.5
    full, touch, found = 0.0, Touch(rng), []
    for e in plan.heard:
        n = int((e.length + 0.03) * RATE)
        wave = np.zeros(n + 900, np.float32)
        count = int(e.length * (180, 240, 320)[plan.material] * (0.6 + 0.4 * e.strength)) + 6
        start = np.sort(rng.uniform(0, max(e.length - 0.02, 0.02), count))
        start[:4] = rng.uniform(0, 0.008, 4)  # the stream arrives at once
        hz = centre * 2.0 ** (0.9 * full / whole + rng.normal(0.35, 0.55, count))
        loud = (
            rng.exponential(0.5, count) * (600 / hz) ** 0.3 * touch(rng, n)[np.minimum((start + 0.01) * RATE, n - 1).astype(int)]
        )
        t = ramp(0.04)[None]
        rising = hz[:, None] * (t + 9 * t * t)
        bubbles = np.sin(2 * np.pi * rising.astype(np.float32)) * np.exp(-t * (hz[:, None] / 9).astype(np.float32))
        where = (start * RATE).astype(int)
        for i, one, gain in zip(where, bubbles.astype(np.float32), loud, strict=True):
            wave[i : i + len(one)] += gain * one
        splash = band(rng, n, 1200, 5000, edge=1.0) * 0.06 * touch(rng, n) * (0.6 + 0.4 * brightness(plan))
        wave[:n] += splash
        full += e.length * e.strength
        found.append(wave)
    return found


def bark(plan: Plan, rng: np.random.Generator) -> Waves:
    """A rough voice that jumps up and falls, through a mouth that opens and closes."""
    base = 420 * deeper(plan, 1.4)
    mouth = 900 * deeper(plan, 0.6)
    touch, found = Touch(rng), []
    for e in plan.heard:
        t = ramp(e.length + 0.03)
        u = t / t[-1]
        hz = base * 2 ** (0.15 * e.pitch) * (0.75 + 0.55 * np.sin(np.pi * u**0.7)) * (1 + 0.05 * wander(rng, len(t), 60))
        k = np.arange(1, harmonics(base * 1.5) + 1)
        voice = play(table(k**-0.8 * rng.uniform(0.5, 1, len(k))), hz)
        breath = band(rng, len(t), 600, 4500, edge=0.8) * (0.15, 0.25, 0.4)[plan.material]
        rough = 1 + 0.4 * wander(rng, len(t), 90)
        shaped = filtered(voice * rough + breath, [(mouth, 0.5, 1.0), (2.3 * mouth, 0.45, 0.6)], floor=0.12)
        found.append(shaped * touch(rng, len(t)) * 2)
    return found


def engine(plan: Plan, rng: np.random.Generator) -> Waves:
    """Firing pulses whose rate jumps with the throttle and falls again. The idling between is `idle`."""
    touch = Touch(rng)
    touch.attack = 0.004  # seconds, or the rise would swallow the first pulses, which are 10 to 30 ms apart
    return [_firing(plan, rng, touch, e) for e in plan.heard]


def idle(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """[samples] the engine with the throttle shut."""
    t = np.arange(plan.samples) / RATE
    hz = _idle_hz(plan) * (1 + 0.03 * wander(rng, len(t), 4))
    return filtered(play(_pulse(), hz) + 0.08 * band(rng, len(t), 100, 900), _pipe(plan), floor=0.08) * 0.12 * rng.random() ** 2


def _idle_hz(plan: Plan) -> float:
    return 34 * deeper(plan, 0.8)


def _pulse() -> np.ndarray:
    k = np.arange(1, 41)
    return table(np.exp(-k / 14) * (1 + 0.5 * (k % 4 == 0)))


def _pipe(plan: Plan) -> list[tuple[float, float, float]]:
    low = 130 * deeper(plan, 0.7)
    return [(low, 0.6, 1.0), (3.1 * low, 0.5, 0.7), (8.5 * low, 0.6, 0.25 * brightness(plan))]


def _firing(plan: Plan, rng: np.random.Generator, touch: Touch, e: Event) -> np.ndarray:
    t = ramp(e.length + 0.03)
    u = t / t[-1]
    rise = np.minimum(t / (0.35 * t[-1]), 1) ** 0.7 * np.where(u > 0.5, np.exp(-1.8 * (u - 0.5)), 1)
    hz = _idle_hz(plan) * (1.5 + (1.0 + 1.6 * e.strength) * rise)
    uneven = 1 + 0.25 * wander(rng, len(t), 30)
    roar = play(_pulse(), hz, 0.7) * uneven + 0.22 * band(rng, len(t), 150, 2500, edge=0.8) * (0.4 + 0.6 * rise)
    return filtered(roar, _pipe(plan), floor=0.15) * touch(rng, len(t)) * 1.2


def knife(plan: Plan, rng: np.random.Generator) -> Waves:
    """Steel over stone: a hiss that climbs with the stroke, rough at the grain of the stone, and a thin ring."""
    low = 2600 * deeper(plan, 0.7)
    touch, found = Touch(rng), []
    for e in plan.heard:
        t = ramp(e.length + 0.03)
        u = t / t[-1]
        dark = band(rng, len(t), low * 0.7, low * 1.2, edge=0.25)
        light = band(rng, len(t), low * 1.1, min(TOP, low * 1.9), edge=0.25)
        grain = 1 + (0.15, 0.3, 0.45)[plan.material] * np.sin(
            2 * np.pi * np.cumsum((70 + 50 * u) / RATE) + wander(rng, len(t), 50)
        )
        hiss = (dark * (1 - u) + light * u) * grain * touch(rng, len(t))
        ring = modes(low * np.array([1.31, 1.87]), [0.06, 0.05], t[-1] + 0.1)
        wave = np.zeros(ring.shape[1], np.float32)
        wave[: len(t)] = 0.3 * hiss
        wave += 0.06 * (ring[0] + ring[1])
        found.append(wave)
    return found


def whistle(plan: Plan, rng: np.random.Generator) -> Waves:
    """Two close high tones that the pea in the whistle chops about thirty times a second."""
    base = 2500 * deeper(plan, 0.7) * (0.9, 1.0, 1.1)[plan.material]
    touch, found = Touch(rng), []
    for e in plan.heard:
        t = ramp(e.length + 0.02)
        trill = np.sin(2 * np.pi * rng.uniform(24, 36) * t)
        hz = base * (1 + 0.012 * e.pitch + 0.02 * trill) * (1 - 0.05 * np.exp(-t / 0.015))
        period = table([1.0, 0.12 * brightness(plan)])
        tone = play(period, hz) + 0.6 * play(period, hz * 1.07)
        air = band(rng, len(t), 1800, 6500) * 0.06
        found.append((tone * (1 + 0.15 * trill) * 0.5 + air) * touch(rng, len(t)))
    return found
