"""Kaldi's log mel filter bank, as ImageBind and AST were trained on.

kaldi-native-fbank refuses 128 bands at 512 points (some low bands reach no point of the transform); torchaudio, which the networks were
trained with, leaves such bands at the log floor. So does this.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE = 16000  # Hz
WINDOW, HOP, N_FFT = 400, 160, 512  # samples: 25 ms, 10 ms, the next power of two
PREEMPHASIS = 0.97
FLOOR = float(np.finfo(np.float32).eps)  # of power, before the logarithm
LOW_HZ = 20.0


def fbank(wave: NDArray, bands: int = 128) -> NDArray:
    """Natural-log mel power of `wave` [samples] at 16 kHz: float32 [frames, bands], frames that lie wholly inside it only.

    Per frame: mean removed, pre-emphasis, symmetric Hann window, power spectrum, Kaldi's triangles from 20 Hz to 8 kHz. No dither,
    no scaling to 16-bit integers. Fewer than 400 samples give no frame. Equal to torchaudio.compliance.kaldi.fbank to 1e-4.
    """
    if len(wave) < WINDOW:
        return np.empty((0, bands), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(wave, np.float64), WINDOW)[::HOP]
    frames = frames - frames.mean(-1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], -1)  # the first sample counts as its own predecessor
    power = np.abs(np.fft.rfft((frames - PREEMPHASIS * before) * np.hanning(WINDOW), N_FFT)) ** 2
    return np.log(np.maximum(power @ _filters(bands).T, FLOOR)).astype(np.float32)


@cache
def _filters(bands: int) -> NDArray:
    """[bands, 257]: triangles equal on the scale 1127 ln(1 + f / 700), read at the transform's points; the last point belongs to none."""
    mel = lambda hz: 1127.0 * np.log1p(hz / 700.0)  # noqa: E731
    edges = np.linspace(mel(LOW_HZ), mel(RATE / 2), bands + 2)
    at = mel(np.arange(N_FFT // 2 + 1) * RATE / N_FFT)
    up = (at - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - at) / np.diff(edges)[1:, None]
    filters = np.clip(np.minimum(up, down), 0, None)
    filters[:, -1] = 0
    filters.setflags(write=False)
    return filters
