"""Building blocks of sounds: damped modes, bands of noise, wavetables, envelopes. Times in seconds, arrays float32 at RATE."""

from __future__ import annotations

import numpy as np
from numpy.fft import irfft, rfft
from scipy.ndimage import gaussian_filter1d

from bench.lab.world import RATE

TOP = 7600.0  # Hz; nothing is made above, where AAC at this rate cuts


def ramp(seconds: float) -> np.ndarray:
    """Times of the samples of `seconds`."""
    return np.arange(max(1, int(seconds * RATE)), dtype=np.float32) / np.float32(RATE)


def modes(hz, tau, seconds: float) -> np.ndarray:
    """[modes, samples] sines from 0, each dying with its own time constant; those above TOP are silent."""
    hz, tau = np.asarray(hz, np.float32)[:, None], np.asarray(tau, np.float32)[:, None]
    t = ramp(seconds)
    # a complex number to the n-th power, by doubling: five times faster than sin and exp of every sample
    step = np.exp((2j * np.pi * hz - 1 / tau) / RATE).astype(np.complex64)
    found = np.ones((len(hz), 1), np.complex64)
    while found.shape[1] < len(t):
        found = np.concatenate([found, found * step ** found.shape[1]], axis=1)
    return found[:, : len(t)].imag * (hz < TOP)


def fast_length(n: int) -> int:
    """The least length of at least `n` whose spectrum is quickly made."""
    return min(k << max(0, (-(-n // k) - 1).bit_length()) for k in (1, 3, 5, 9, 15))


def band(rng: np.random.Generator, n: int, low: float, high: float, edge: float = 0.35) -> np.ndarray:
    """[n] noise between `low` and `high` Hz with unit rms; the sides fall within `edge` octaves."""
    m = fast_length(n)
    hz = np.arange(m // 2 + 1, dtype=np.float32) * np.float32(RATE / m)
    octave = np.log2(np.maximum(hz, 1.0))
    over = np.maximum(np.maximum(np.log2(low) - octave, octave - np.log2(high)), 0) / edge
    spectrum = rfft(rng.standard_normal(m, np.float32)) * np.exp(-(over**2))
    found = irfft(spectrum, m)[:n]
    return (found / (np.sqrt(np.mean(found**2)) + 1e-9)).astype(np.float32)


def filtered(wave: np.ndarray, peaks: list[tuple[float, float, float]], floor: float = 0.05) -> np.ndarray:
    """`wave` through resonances (Hz, width in octaves, gain) on a floor: formants of a mouth, a body, a pipe."""
    m = fast_length(len(wave))
    octave = np.log2(np.maximum(np.arange(m // 2 + 1, dtype=np.float32) * np.float32(RATE / m), 1.0))
    gain = floor + sum(g * np.exp(-(((octave - np.log2(f)) / w) ** 2)) for f, w, g in peaks)
    return irfft(rfft(wave, m) * gain, m)[: len(wave)].astype(np.float32)


def table(weights) -> np.ndarray:
    """One period of 1,024 points of a tone with these amplitudes of its harmonics."""
    spectrum = np.zeros(513, np.complex64)
    spectrum[1 : len(weights) + 1] = -1j * np.asarray(weights)
    period = irfft(spectrum, 1024) * 512
    return (period / np.abs(period).max()).astype(np.float32)


def play(period: np.ndarray, hz: np.ndarray, begin: float = 0.0) -> np.ndarray:
    """[n] a wavetable read at a frequency that may change with every sample, from `begin` (0 ... 1) of its period on."""
    phase = (np.cumsum(hz) / RATE + begin) * len(period)
    return period[phase.astype(np.int64) % len(period)]


def harmonics(hz: float) -> int:
    """How many harmonics of `hz` fit below TOP."""
    return max(1, min(60, int(TOP / hz)))


def fade(n: int, attack: float, release: float) -> np.ndarray:
    """[n] rises within `attack` seconds, stays, falls within the last `release` seconds."""
    t = np.arange(n, dtype=np.float32) / RATE
    ends = n / RATE
    return np.sin(np.pi / 2 * np.clip(np.minimum(t / attack, (ends - t) / release), 0, 1)) ** 2


def wander(rng: np.random.Generator, n: int, hz: float) -> np.ndarray:
    """[n] slow unit-variance noise that changes about `hz` times a second."""
    points = int(n / RATE * hz * 4) + 8
    slow = np.asarray(gaussian_filter1d(rng.standard_normal(points + 8), 2.0))[4:-4]
    slow = slow / (slow.std() + 1e-6)
    return np.interp(np.arange(n), np.linspace(0, n, points), slow).astype(np.float32)
