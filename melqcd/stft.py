"""Windowed transforms through mel filters: what every spectrogram of ours is made of."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from melqcd.mel import MelScale

CACHED = 2**18  # samples of windowed frames handled at once on a CPU: 1 MB, which stays in its cache
PIECES = 8  # of the filters, each multiplied only with the frequencies that it reaches


def mel_magnitude(padded: Tensor, scale: MelScale) -> Tensor:
    """sqrt(|X|^2 + 1e-9) through the mel filters: [B, bins, frames], as Auffusion and Mel-QCD have it.

    padded: [B, samples], floats; the first frame begins with its first sample.
    """
    return _filtered(padded, scale, lambda power: power.add_(1e-9).sqrt_())


def mel_power(padded: Tensor, scale: MelScale) -> Tensor:
    """|X|^2 through the mel filters: [B, bins, frames]."""
    return _filtered(padded, scale, lambda power: power)


def _filtered(padded: Tensor, scale: MelScale, of_power) -> Tensor:
    """All frames at once on a GPU, in blocks that fit the cache on a CPU: twice as fast there, and memory stays flat."""
    import torch

    window, pieces = _tables(scale, padded.device, padded.dtype)
    side = (scale.n_fft - scale.window) // 2  # the zeros beside a short window are never touched: they do not change |X|
    frames = padded[:, side : padded.shape[-1] - (scale.n_fft - scale.window - side)].unfold(-1, scale.window, scale.hop)
    at_once = CACHED if padded.device.type == "cpu" else frames.numel()
    across = max(1, at_once // (frames.shape[1] * scale.n_fft))
    along = max(1, at_once // scale.n_fft)

    def block(part: Tensor) -> Tensor:
        squares = torch.view_as_real(torch.fft.rfft(part * window, n=scale.n_fft)).square()
        values = of_power(squares[..., 0] + squares[..., 1]).transpose(-1, -2)
        return _joined([bank @ values[:, low:high] for bank, low, high in pieces], 1)

    return _joined([_joined([block(part) for part in rows.split(along, 1)], 2) for rows in frames.split(across)], 0)


def _joined(parts: list[Tensor], axis: int) -> Tensor:
    import torch

    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)


@cache
def _tables(scale: MelScale, device, dtype) -> tuple[Tensor, list[tuple[Tensor, int, int]]]:
    """Hann window, and the filters in pieces (bank, first frequency, end). Made outside inference mode, or training could not use them."""
    import torch

    bank = filterbank(scale.rate, scale.n_fft, scale.bins, scale.low_hz, scale.high_hz)
    with torch.inference_mode(False):
        pieces = []
        for rows in np.array_split(bank, min(PIECES, scale.bins)):
            reached = np.flatnonzero(rows.any(0))
            low, high = (int(reached[0]), int(reached[-1]) + 1) if len(reached) else (0, 1)
            pieces.append((torch.from_numpy(rows[:, low:high].copy()).to(device, dtype), low, high))
        return torch.hann_window(scale.window, dtype=dtype, device=device), pieces


@cache
def filterbank(rate: int, n_fft: int, bins: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Slaney's mel filters of unit area, float64 [bins, n_fft // 2 + 1]; equal to librosa.filters.mel to 1e-7.

    A band narrower than the spacing of the transform's bins may be all zeros. The array is shared: it is read-only.
    """
    edges = band_edges(bins, low_hz, high_hz)
    at = np.linspace(0, rate / 2, n_fft // 2 + 1)
    up = (at - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - at) / np.diff(edges)[1:, None]
    bank = np.clip(np.minimum(up, down), 0, None) * (2 / (edges[2:] - edges[:-2]))[:, None]
    bank.setflags(write=False)
    return bank


def band_edges(bins: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Hz, float64 [bins + 2]: band i rises from edge i to its peak at i + 1 and falls to i + 2; even steps of Slaney's mel."""
    return _hz(np.linspace(_mel(np.array(low_hz)), _mel(np.array(high_hz)), bins + 2))


# Slaney's scale: linear to 1 kHz at 200/3 Hz a mel, then 27 mels for each factor of 6.4.
def _mel(hz: np.ndarray) -> np.ndarray:
    return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1000) / 1000) * 27 / np.log(6.4))


def _hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27))
