"""Onset strength curves (ODF) of sounds, by name: what W-Dis and JS-Div compare.

Conventions
    wave: [..., samples] at the curve's own rate; curves are [..., frames], non-negative, frame 0 is 0, not normalised.
Curves
    flux_lin           half-wave rectified spectral flux, L1 over linear magnitudes; 22050 Hz, Hann 2048, hop 512, no padding: the default
    flux_lin_centered  the same with centred frames and zero padding
    flux_lin_16k_hop160, flux_lin_16k_hop512  at 16 kHz (n_fft 1024 and 2048)
    log1p              flux of log(1 + magnitude), else as flux_lin
    librosa            librosa's onset strength: flux of a mel spectrogram in dB, centred
Source: metrics.md 2.1 and 2.2, where the choice is calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor


AT_ONCE = 128  # frames


@dataclass(frozen=True)
class Curve:
    kind: Literal["linear", "log1p", "librosa"] = "linear"  # of magnitude whose rise is summed
    rate: int = 22050  # Hz, of the sound
    n_fft: int = 2048  # also the Hann window's length
    hop: int = 512  # samples per frame
    centered: bool = False  # frames centred on their time, zeros beyond the ends

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return self.rate / self.hop


CURVES = {
    "flux_lin": Curve(),
    "flux_lin_centered": Curve(centered=True),
    "flux_lin_16k_hop160": Curve(rate=16000, n_fft=1024, hop=160),
    "flux_lin_16k_hop512": Curve(rate=16000),
    "log1p": Curve("log1p"),
    "librosa": Curve("librosa", centered=True),
}


def strength(wave: Tensor, curve: Curve) -> Tensor:
    """The onset strength curve of each sound: [..., samples] -> [..., frames]. A sound shorter than one window is padded with zeros to it."""
    import torch

    if curve.kind == "librosa":
        from melqcd.onset import onset_strength

        return onset_strength(wave.reshape(-1, wave.shape[-1])).reshape(*wave.shape[:-1], -1)
    pad = torch.nn.functional.pad
    missing = curve.n_fft - wave.shape[-1]
    if curve.centered:
        wave = pad(wave, (curve.n_fft // 2,) * 2)
    elif missing > 0:
        wave = pad(wave, (0, missing))
    window = torch.hann_window(curve.n_fft, dtype=wave.dtype, device=wave.device)
    frames = wave.unfold(-1, curve.n_fft, curve.hop)
    rises = [wave.new_zeros(*wave.shape[:-1], 1)]
    for first in range(0, frames.shape[-2] - 1, AT_ONCE):  # in blocks that stay in a core's cache
        squares = torch.view_as_real(torch.fft.rfft(frames[..., first : first + AT_ONCE + 1, :] * window)).square()
        magnitude = (squares[..., 0] + squares[..., 1]).sqrt_()
        if curve.kind == "log1p":
            magnitude.log1p_()
        rises.append(magnitude.diff(dim=-2).clamp_(min=0).sum(-1))
    return torch.cat(rises, -1)
