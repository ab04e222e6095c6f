"""What the lab's judges hear: a window of sound as normalised log filter banks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.judges.kaldi_mel import HOP, RATE, WINDOW, fbank

PEAK = 0.95  # every sound is scaled to it first: generated sound has no level of its own
MEAN, SPREAD = -5.4, 4.1  # of the lab's log filter banks at that peak


def heard(wave: NDArray, bands: int, frames: int) -> NDArray:
    """float32 [frames, bands] from mono `wave` [samples] at 16 kHz, mean 0 and deviation 1 over the lab's sounds.

    Cut to `frames` of 10 ms, or continued by a log power of 0, as AST has it. Silence is legal: a constant at the log floor.
    """
    wave = np.asarray(wave, np.float32)
    most = np.abs(wave).max(initial=0)
    found = fbank(wave * (PEAK / most) if most else wave, bands)[:frames]
    return ((np.pad(found, ((0, frames - len(found)), (0, 0))) - MEAN) / SPREAD).astype(np.float32)


def windows(wave: NDArray, frames: int) -> list[NDArray]:
    """`wave` in stretches that fill `frames` of 10 ms, evenly from its start to its end, none more than half over another; at least one."""
    length = (frames - 1) * HOP + WINDOW
    count = 1 + max(0, -(-(len(wave) - length - RATE // 4) // length))  # a quarter of a second more is let go
    first = [round(i * (len(wave) - length) / max(1, count - 1)) for i in range(count)] if count > 1 else [0]
    return [wave[a : a + length] for a in first]


def batch(waves: list[NDArray], bands: int, frames: int) -> tuple[NDArray, NDArray]:
    """(float32 [windows, frames, bands] of all `waves`, int [windows]: whose each window is)."""
    cut = [windows(wave, frames) for wave in waves]
    found = np.stack([heard(part, bands, frames) for parts in cut for part in parts])
    return found, np.repeat(np.arange(len(waves)), [len(parts) for parts in cut])
