"""The sound of a clip: its class's events, in a room, with what else there is to hear."""

from __future__ import annotations

import numpy as np
from numpy.fft import irfft, rfft

from bench.lab import held, struck
from bench.lab.tones import band, fade, fast_length, wander
from bench.lab.world import RATE, Plan

MAKERS = {
    "striking_metal_pan": struck.metal_pan,
    "striking_wood_block": struck.wood_block,
    "bouncing_ball": struck.ball,
    "plucking_guitar": struck.guitar,
    "playing_violin": held.violin,
    "shaking_maraca": struck.maraca,
    "pouring_water": held.water,
    "dog_barking": held.bark,
    "revving_engine": held.engine,
    "hammering_nail": struck.nail,
    "clapping_hands": struck.clap,
    "ringing_bell": struck.bell,
    "sharpening_knife": held.knife,
    "typing_keyboard": struck.keyboard,
    "blowing_whistle": held.whistle,
}


def sound(plan: Plan) -> tuple[np.ndarray, list[float]]:
    """(wave [samples] float32 with its peak between 0.1 and 0.95, energy of each heard event).

    The energy of an event is the sum of its squared dry samples divided by the rate, at the level of `wave`.
    """
    rng = plan.rng("sound")
    wave = np.zeros(plan.samples, np.float32)
    energies = []
    waves = MAKERS[plan.kind.folder](plan, rng)
    if not plan.kind.sustained:
        waves = struck.bounced(waves, rng)
    for event, made in zip(plan.heard, waves, strict=True):
        begin = round(event.time * RATE)
        made = made[: plan.samples - begin] * _gain(event.strength)
        # an event of the sustained kinds is over before the next; those that ring are stopped by the clip's end alone
        wave[begin : begin + len(made)] += made
        energies.append(float(np.sum(made.astype(np.float64) ** 2) / RATE))
    if plan.kind.folder == "revving_engine":
        wave += held.idle(plan, rng) * _gain(0.7)
    wave = _in_room(wave, plan, rng)
    loud = float(np.abs(wave).max())
    wave += loud * _elsewhere(plan, rng)
    level = _level(plan) / (float(np.abs(wave).max()) + 1e-9)
    return (wave * level).astype(np.float32), [e * level**2 for e in energies]


def _gain(strength: float) -> float:
    """Amplitude of an event: -15 dB at the weakest."""
    return strength**1.3


def _level(plan: Plan) -> float:
    """Peak of the clip: what is struck harder, is larger or is nearer is louder. 0.1 ... 0.95."""
    strongest = max(_gain(e.strength) for e in plan.heard)
    return float(np.clip(0.95 * strongest * (0.45 + 0.4 * plan.near + 0.15 * plan.size), 0.1, 0.95))


def _in_room(dry: np.ndarray, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Reverberation of 0.1 to 0.7 s, louder from far, and a microphone that tilts the spectrum by up to 2.5 dB an octave."""
    decay = rng.uniform(0.1, 0.7)
    n = int(min(0.6, decay) * RATE)
    t = np.arange(n) / RATE
    tail = rng.standard_normal(n) * np.exp(-6.9 * t / decay) * (t > 0.006)
    m = fast_length(len(dry) + n)
    hz = np.arange(m // 2 + 1) * (RATE / m)
    # walls take the treble: a one-pole filter
    response = rfft(tail / np.sqrt(np.sum(tail**2)), m) / (1 + 1j * hz / rng.uniform(2000, 6000))
    wet = rng.uniform(0.03, 0.22) * (1.3 - 0.6 * plan.near)
    tilt = np.clip(hz / 1000, 0.06, 8) ** rng.uniform(-0.42, 0.42)
    return irfft(rfft(dry, m) * (1 + wet * response) * tilt, m)[: len(dry)].astype(np.float32)


def _elsewhere(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Room tone at -66 to -42 dB of a peak of 1; in four clips of ten wind, traffic or a hum from off-screen, up to -26 dB."""
    n = plan.samples
    found = 10 ** rng.uniform(-3.3, -2.1) * band(rng, n, rng.uniform(60, 200), rng.uniform(500, 5000), edge=1.5)
    if rng.random() < 0.4:
        gain = 10 ** rng.uniform(-2.2, -1.3)
        swell = fade(n, n / RATE * rng.uniform(0.2, 0.6), n / RATE * rng.uniform(0.2, 0.6))
        if rng.random() < 0.7:
            low = rng.uniform(80, 900)
            found += gain * swell * band(rng, n, low, low * 2.5, edge=0.8) * np.exp(0.3 * wander(rng, n, 2))
        else:
            t = np.arange(n) / RATE
            hum = rng.choice([50.0, 60.0])
            k = np.array([[1], [2], [4], [6]])
            found += gain * np.sum(np.sin(2 * np.pi * k * hum * t) / k, axis=0).astype(np.float32)
    return found
