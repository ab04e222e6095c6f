"""Frames, transforms and mel filters: what every spectrogram of ours is made of."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from melqcd.mel import MelScale


def power(padded: Tensor, scale: MelScale) -> Tensor:
    """|X|^2 of the frames of `padded` [B, samples], the first starting at its first sample: [B, n_fft // 2 + 1, frames]."""
    import torch

    _, window = tables(scale, padded.device, padded.dtype)
    spectrum = torch.stft(padded, scale.n_fft, scale.hop, scale.window, window, center=False, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1)


@cache
def tables(scale: MelScale, device, dtype) -> tuple[Tensor, Tensor]:
    """Filters [bins, n_fft // 2 + 1] and Hann window of `scale`. Made outside inference mode, or a later training run could not use them."""
    import torch

    with torch.inference_mode(False):
        bank = filterbank(scale.rate, scale.n_fft, scale.bins, scale.low_hz, scale.high_hz)
        window = torch.hann_window(scale.window, dtype=dtype, device=device)
        return torch.from_numpy(bank.copy()).to(device, dtype), window


@cache
def filterbank(rate: int, n_fft: int, bins: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Slaney's mel filters of unit area, float64 [bins, n_fft // 2 + 1]; equal to librosa.filters.mel to 1e-7.

    A band narrower than the spacing of the transform's bins may be all zeros. The array is shared: it is read-only.
    """
    edges = _hz(np.linspace(_mel(np.array(low_hz)), _mel(np.array(high_hz)), bins + 2))
    at = np.linspace(0, rate / 2, n_fft // 2 + 1)
    up = (at - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - at) / np.diff(edges)[1:, None]
    bank = np.clip(np.minimum(up, down), 0, None) * (2 / (edges[2:] - edges[:-2]))[:, None]
    bank.setflags(write=False)
    return bank


# Slaney's scale: linear to 1 kHz at 200/3 Hz a mel, then 27 mels for each factor of 6.4.
def _mel(hz: np.ndarray) -> np.ndarray:
    return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1000) / 1000) * 27 / np.log(6.4))


def _hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27))
