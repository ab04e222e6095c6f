"""Sounds that a contact sets off and that die by themselves: one function a class, one wave per heard event."""

from __future__ import annotations

import numpy as np

from bench.lab.tones import TOP, band, filtered, harmonics, modes, play, ramp, table
from bench.lab.world import RATE, Plan

Waves = list[np.ndarray]


def deeper(plan: Plan, octaves: float = 1.2) -> float:
    """The factor on pitch by which larger things sound lower, 1 at middle size."""
    return 2.0 ** ((0.5 - plan.size) * octaves)


def ringing(plan: Plan) -> float:
    """Seconds in which an impact's amplitude falls to 1/e: 0.025 ... 0.4, much the same for all classes.

    Harder rings longer, and that is seen; a damping hand or a hollow is not. Were it each class's own, energy would tell the class.
    """
    return 0.033 * 2.0 ** (3.2 * (1 - plan.damp)) * (0.75, 1.0, 1.33)[plan.material]


def bounced(waves: Waves, rng: np.random.Generator) -> Waves:
    """In four clips of ten the hammer, ball or finger touches again 60 to 110 ms later, 8 to 16 dB weaker."""
    if rng.random() < 0.6:
        return waves
    found = []
    for wave in waves:
        at, gain = int(rng.uniform(0.06, 0.11) * RATE), rng.uniform(0.15, 0.4)
        twice = np.zeros(len(wave) + at, np.float32)
        twice[: len(wave)] = wave
        twice[at:] += gain * wave
        found.append(twice)
    return found


def brightness(plan: Plan) -> float:
    """The factor on the amplitude of high modes: 0.5, 1 or 1.7 from soft to hard."""
    return (0.5, 1.0, 1.7)[plan.material]


def metal_pan(plan: Plan, rng: np.random.Generator) -> Waves:
    """Many inharmonic modes close together, and a clank."""
    base = 330 * deeper(plan)
    ratio = np.array([1, 1.51, 1.99, 2.44, 2.89, 3.37, 4.08, 4.71, 5.33, 6.27, 7.15, 8.4, 9.7, 11.2, 13.1])
    hz = base * ratio * (1 + 0.03 * rng.standard_normal(len(ratio)))
    tau = 1.2 * ringing(plan) / (1 + 0.05 * ratio)
    bank = modes(hz, tau, 0.05 + 5 * float(tau.max()))
    found = []
    for e in plan.heard:
        weight = rng.uniform(0.3, 1, len(hz)) * (ratio / 4) ** (0.25 * brightness(plan) * (0.5 + e.strength) - 0.2)
        wave = weight @ bank / 4
        clank = band(rng, 480, 2000, 6500) * np.exp(-ramp(0.03) / 0.006)
        wave[:480] += 0.7 * clank
        found.append(wave)
    return found


def wood_block(plan: Plan, rng: np.random.Generator) -> Waves:
    """Three modes of a bar, gone at once, and a dull knock."""
    base = 520 * deeper(plan)
    ratio = np.array([1.0, 2.57, 4.95])
    tau = 0.75 * ringing(plan) / ratio**0.5
    found = []
    for e in plan.heard:
        weight = np.array([1.0, 0.45 * brightness(plan) * (0.4 + e.strength), 0.15 * brightness(plan)])
        wave = weight @ modes(base * ratio * 2 ** (e.pitch * 0.12), tau, 0.05 + 5 * tau[0])
        wave[:320] += 0.3 * band(rng, 320, 300, 1500) * np.exp(-ramp(0.02) / 0.004)
        found.append(wave)
    return found


def ball(plan: Plan, rng: np.random.Generator) -> Waves:
    """A thump that falls in pitch and the ping of the air inside."""
    base = 95 * deeper(plan, 1.0)
    tau = 0.02 + 0.7 * ringing(plan)
    air = modes(base * np.array([7.1, 11.9]), [tau * 0.6, tau * 0.4], 5 * tau)
    t = ramp(5 * tau)
    found = []
    for e in plan.heard:
        hz = base * (1 + (0.6 + e.strength) * np.exp(-t / 0.02))
        thump = play(table([1.0, 0.5, 0.2]), hz) * np.exp(-t / tau)
        slap = np.zeros_like(t)
        slap[:240] = band(rng, 240, 250, 1200) * np.exp(-ramp(0.015) / 0.004)
        found.append(thump + 0.22 * brightness(plan) * (air[0] + 0.5 * air[1]) + 0.25 * slap)
    return found


def guitar(plan: Plan, rng: np.random.Generator) -> Waves:
    """A string plucked off its middle: harmonics that die the faster the higher they are."""
    open_hz = 165 * deeper(plan, 0.8)
    count = harmonics(open_hz * 2)
    k = np.arange(1, count + 1)
    place = rng.uniform(0.12, 0.3)
    weight = np.abs(np.sin(np.pi * k * place)) / k ** (1.7 - 0.4 * brightness(plan))
    tau = 1.5 * ringing(plan) / (1 + (0.15 / brightness(plan)) * (k - 1))
    string = weight @ modes(open_hz * k * np.sqrt(1 + 8e-5 * k**2), tau + 0.01, 0.1 + 5 * float(tau[0]))
    string /= np.abs(string).max()
    found = []
    for e in plan.heard:
        speed = 2.0 ** (round(6 * (e.pitch + 1)) / 12)  # frets, up to an octave
        wave = np.interp(np.arange(0, len(string) - 1, speed), np.arange(len(string)), string)
        wave[:80] += 0.15 * band(rng, 80, 1500, 5000) * np.linspace(1, 0, 80)
        found.append(wave)
    return found


def maraca(plan: Plan, rng: np.random.Generator) -> Waves:
    """Seeds that hit the wall: dozens at once, then fewer and fewer."""
    low = 2900 * deeper(plan, 0.8) * (0.75, 1.0, 1.25)[plan.material]
    found = []
    tau = 0.7 * ringing(plan)
    for _ in plan.heard:
        t = ramp(0.02 + 5 * tau)
        density = np.exp(-t / tau) + 4 * np.exp(-t / 0.004)  # most arrive together
        hits = np.where(rng.random(len(t)) < 0.05 * density, rng.standard_normal(len(t)), 0)
        grain = np.exp(-ramp(0.004) / 0.0008) * rng.standard_normal(64)
        cloud = np.convolve(hits, grain)[: len(t)] + 0.12 * density * rng.standard_normal(len(t))
        cloud = filtered(cloud.astype(np.float32), [(min(1.45 * low, TOP), 0.7, 1.0)], floor=0.0)
        found.append(cloud / (np.abs(cloud).max() + 1e-9))
    return found


def nail(plan: Plan, rng: np.random.Generator) -> Waves:
    """A steel click, higher as the nail goes in, on a thud of the board."""
    hz = 2300 * deeper(plan, 0.6) * np.array([1.0, 1.42, 1.93, 2.71])
    thud = 170 * deeper(plan, 0.6) * (0.8, 1.0, 1.3)[plan.material]
    tau = 0.6 * ringing(plan)
    found = []
    for i, e in enumerate(plan.heard):
        driven = 1 + 0.03 * i
        bank = modes(hz * driven, tau * np.array([1.2, 1.0, 0.8, 0.6]), 5 * tau)
        low = modes([thud, 2.3 * thud], [0.02 + 0.5 * tau, 0.02], 5 * tau)
        wave = rng.uniform(0.5, 1, 4) @ bank * 0.4 * (0.6 + 0.4 * brightness(plan)) + 0.75 * low[0] + 0.3 * low[1]
        wave[:96] += (0.3 + 0.3 * e.strength) * band(rng, 96, 1500, 6500) * np.linspace(1, 0, 96)
        found.append(wave)
    return found


def clap(plan: Plan, rng: np.random.Generator) -> Waves:
    """Air between palms: a band of noise about 1 kHz in three or four quick pushes."""
    centre = 1150 * deeper(plan, 0.9) * (0.7, 0.9, 1.2)[plan.material]
    tau = 0.01 + 0.6 * ringing(plan)
    found = []
    for _ in plan.heard:
        t = ramp(5 * tau)
        shape = np.exp(-t / tau)
        for delay in np.cumsum(rng.uniform(0.003, 0.006, 3)):
            shape += 0.5 * np.where(t > delay, np.exp(-np.maximum(t - delay, 0) / 0.004), 0)
        wave = band(rng, len(t), centre * 0.75, centre * 1.5) + 0.18 * brightness(plan) * band(rng, len(t), 1800, 5000)
        found.append(wave * shape * 0.4)
    return found


def bell(plan: Plan, rng: np.random.Generator) -> Waves:
    """Few partials in a bell's ratios, each a slowly beating pair, and almost no noise."""
    base = 620 * deeper(plan)
    ratio = np.repeat([0.5, 1.0, 1.2, 1.5, 2.0, 2.67, 4.1], 2)
    hz = base * ratio * (1 + 0.0018 * rng.standard_normal(14))
    tau = 1.4 * ringing(plan) / (0.6 + 0.4 * ratio)
    bank = modes(hz, tau, 0.05 + 4 * float(tau.max()))
    found = []
    for e in plan.heard:
        weight = np.repeat([0.5, 1.0, 0.7, 0.25, 0.9, 0.35, 0.3], 2) * ratio ** (0.4 * brightness(plan) * e.strength - 0.2)
        found.append(weight * rng.uniform(0.7, 1.0, 14) @ bank / 5)
    return found


def keyboard(plan: Plan, rng: np.random.Generator) -> Waves:
    """A key touched and at its bottom 10 ms later: two clacks of plastic on a desk."""
    body = 900 * deeper(plan, 0.8) * (0.7, 1.0, 1.3)[plan.material]
    found = []
    tau = 0.45 * ringing(plan)
    bank = modes([body, 2.3 * body, 4.1 * body], [0.5 * tau, 0.4 * tau, 0.3 * tau], 5 * tau)
    for e in plan.heard:
        wave = np.zeros(int(0.02 * RATE) + bank.shape[1], np.float32)
        for at, gain in ((0.0, 0.6), (rng.uniform(0.006, 0.014), 1.0)):
            i = int(at * RATE)
            click = rng.uniform(0.5, 1, 3) @ bank * 2 ** (0.2 * e.pitch) * 0.6
            n = len(click)
            click += 0.5 * brightness(plan) * band(rng, n, 2200, 6500) * np.exp(-ramp(5 * tau)[:n] / (0.002 + 0.25 * tau))
            wave[i : i + n] += gain * click
        found.append(wave)
    return found
