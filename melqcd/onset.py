"""Where sounds begin: librosa's default onset detector at 22.05 kHz, for whole batches, without a loop over time or clips.

Definition: specification of Onset ACC (CondFoleyGen's setting of librosa, delta 0.3); the numbers below are its defaults at this
rate, and wrong at any other: at 16 kHz librosa's windows of 30 ms shrink to nothing.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from melqcd.mel import MelScale
from melqcd.stft import mel_power

RATE = 22050  # Hz
HOP = 512  # samples between frames: 43.07 a second
DELTA = 0.3  # by which an onset exceeds the mean around it, where the strength spans 0 ... 1
AROUND = 4  # frames on either side in that mean: 0.1 s
LATE = 3  # frames by which strength is delayed: one for the difference, two for half a window
TOP_DB = 80.0  # dynamic range kept below a clip's loudest value

SCALE = MelScale(rate=RATE, n_fft=2048, window=2048, hop=HOP, bins=128, high_hz=RATE / 2, peak=0.0)


def onset_strength(wave: Tensor, samples: Tensor | None = None) -> Tensor:
    """How much louder each frame is than the one before, in dB, rises only, averaged over mel bands: [B, 1 + N // 512].

    wave: [B, N], mono at 22.05 kHz. samples: [B], true lengths; frames beyond 1 + samples // 512 hold 0. Any gain gives the same
    strength until values fall below 1e-10 of power. Frame n is centred on sample 512 n; there is silence before and after a clip.
    Source: librosa.onset.onset_strength with its defaults, each clip on its own; equal to it to 1e-4 dB.
    """
    rows, length = wave.shape
    frames = 1 + length // HOP
    ends = torch.full((rows,), length, device=wave.device) if samples is None else samples.to(wave.device)
    if rows == 0 or length == 0:
        return wave.new_zeros(rows, frames)
    if samples is not None:
        wave = wave * (torch.arange(length, device=wave.device) < ends[:, None])
    decibels = mel_power(pad(wave, (SCALE.n_fft // 2,) * 2), SCALE).clamp_(min=1e-10).log10_().mul_(10)
    beyond = torch.arange(frames, device=wave.device) > (ends // HOP)[:, None]
    decibels.masked_fill_(beyond[:, None, :], -100.0)
    decibels = torch.maximum(decibels, decibels.amax((-2, -1), keepdim=True) - TOP_DB)
    rises = decibels.diff(dim=-1).clamp_(min=0).mean(-2)
    return pad(rises, (LATE, 0))[..., :frames].masked_fill(beyond, 0)


def pick(strength: Tensor, delta: float = DELTA, *, frames: Tensor | None = None) -> Tensor:
    """True at the frames where a sound begins: bool [B, frames].

    strength: [B, frames], scaled to 0 ... 1 here. A frame is a candidate if it is no lower than the one before and at least `delta`
    above the mean of the 9 frames around it (fewer at the ends). After an onset the next frame is skipped: of each run of
    candidates every other one remains, the first among them. frames: [B], how many of them are real.
    A constant or non-finite strength has no onsets.
    """
    there = torch.ones_like(strength, dtype=torch.bool)
    if frames is not None:
        there = torch.arange(strength.shape[-1], device=strength.device) < frames[:, None]
    low = strength.masked_fill(~there, torch.inf).amin(-1, keepdim=True)
    x = (strength - low).masked_fill(~there, 0)
    x = x / (x.amax(-1, keepdim=True) + torch.finfo(x.dtype).tiny)
    usable = x.isfinite().all(-1, keepdim=True) & x.any(-1, keepdim=True)

    width = 2 * AROUND + 1
    around = avg_pool1d(pad(x, (AROUND,) * 2), width, 1) / avg_pool1d(pad(there.to(x.dtype), (AROUND,) * 2), width, 1).clamp(
        min=1e-9
    )
    candidate = there & usable & (x >= around + delta) & (x >= pad(x, (1, 0))[..., :-1])
    at = torch.arange(x.shape[-1], device=x.device)
    starts = torch.where(candidate & ~pad(candidate, (1, 0))[..., :-1], at, 0).cummax(-1).values
    return candidate & ((at - starts) % 2 == 0)


def onsets(wave: Tensor, samples: Tensor | None = None, *, delta: float = DELTA) -> list[np.ndarray]:
    """The sample positions, ascending multiples of 512, where sounds begin in each clip of `wave` [B, N] at 22.05 kHz.

    samples: [B], true lengths. A position may equal the clip's length (its last frame is centred there).
    """
    frames = None if samples is None else 1 + samples.to(wave.device) // HOP
    found = pick(onset_strength(wave, samples), delta, frames=frames)
    return [np.flatnonzero(row) * HOP for row in found.cpu().numpy()]


def resampled(wave: Tensor, rate: int, samples: Tensor) -> tuple[Tensor, Tensor]:
    """`wave` [B, N] at `rate` Hz as sound at 22.05 kHz, and the new lengths: through the spectrum, without ringing across the ends.

    Differs from soxr's high quality by its steeper edge at half the lower rate.
    """
    if rate == RATE:
        return wave, samples
    common = gcd(rate, RATE)
    down, up = rate // common, RATE // common
    length = wave.shape[-1]
    blocks = _smooth_number(-(-length // down) + 4)  # at least four blocks of silence between end and beginning
    spectrum = torch.fft.rfft(wave, n=blocks * down)
    wider = torch.fft.irfft(spectrum, n=blocks * up) * (up / down)
    lengths = samples * up // down
    return wider[:, : length * up // down], lengths


def _smooth_number(least: int) -> int:
    """The smallest number from `least` on whose factors are 2, 3 and 5: transforms of other lengths can be slow."""
    number = least
    while True:
        rest = number
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return number
        number += 1
