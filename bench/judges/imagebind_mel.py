"""What ImageBind hears of a sound: three windows of two seconds as normalised Kaldi mels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.judges.kaldi_mel import RATE, WINDOW, fbank

WINDOWS = 3  # spread evenly from the clip's start to its end
SECONDS = 2.0  # of one window
FRAMES = 204  # to which the 198 of a window are padded, with zeros before normalisation
MEAN, SPREAD = -4.268, 9.138  # of the log mels that ImageBind was trained on


def starts(seconds: float) -> list[float]:
    """Where the windows of a clip begin, in seconds; all at 0 for a clip no longer than one of them."""
    return [i * max(seconds - SECONDS, 0.0) / (WINDOWS - 1) for i in range(WINDOWS)]


def imagebind_mel(wave: NDArray) -> NDArray:
    """float32 [3, 1, 128, 204] from mono `wave` [samples] at 16 kHz: windows, channel, bands from the lowest, frames.

    Each window has its mean removed. Silence is legal: a constant at the log floor. Under 25 ms there is nothing to hear: [0, 1, 128, 204].
    Differs from ImageBind's own loader in one thing: that one listens to the left channel of stereo, here the channels come averaged.
    Source: ImageBind imagebind/data.py; metrics.md 6.
    """
    wave = np.asarray(wave, np.float32)
    if len(wave) < WINDOW:
        return np.empty((0, 1, 128, FRAMES), np.float32)
    made = []
    for start in starts(len(wave) / RATE):
        part = wave[int(start * RATE) : int((start + SECONDS) * RATE)]
        mel = fbank(part - part.mean()).T[:, :FRAMES]
        made.append((np.pad(mel, ((0, 0), (0, FRAMES - mel.shape[1]))) - MEAN) / SPREAD)
    return np.stack(made)[:, None].astype(np.float32)
