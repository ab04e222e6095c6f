"""Sound as it comes back from a mel picture: smeared, noisy and of a guessed phase, so that judges know a gesture by more than its detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from melqcd.mel import MelScale, filterbank, log_mel

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BLUR = (1.2, 1.0)  # largest deviation of the smearing, in frames and in bands
NOISE = 0.35  # nat, largest deviation of the noise added to the log mel, itself smeared like the sound
ROUNDS = 3  # of Griffin and Lim: each costs 20 ms a clip


def worn(wave: Tensor, samples: Tensor, scale: MelScale, generator: torch.Generator) -> Tensor:
    """[B, N] sounds through a damaged mel and back, each damaged by chance; silent beyond their ends.

    wave: [B, N] at `scale.rate`; samples: [B] true lengths. No trained network takes part, so what a judge learns from this is not
    fitted to the backbone that it will judge.
    """
    import torch

    mel = log_mel(wave, scale, samples=samples)
    n = len(mel)
    mel = mel + NOISE * torch.rand(n, 1, 1, generator=generator) * torch.randn(mel.shape, generator=generator)
    for axis, most in ((-1, BLUR[0]), (-2, BLUR[1])):
        mel = _smeared(mel, most * torch.rand(n, generator=generator), axis)
    bank = filterbank(scale.rate, scale.n_fft, scale.bins, scale.low_hz, scale.high_hz)
    magnitude = (torch.from_numpy(np.linalg.pinv(bank)).to(mel) @ mel.exp()).clamp_min(0)
    made = _sounding(magnitude, scale, generator)
    made = torch.nn.functional.pad(made, (0, wave.shape[-1] - made.shape[-1]))
    made = made * (torch.arange(wave.shape[-1]) < samples[:, None])
    return made * (scale.peak / made.abs().amax(-1, keepdim=True).clamp_min(1e-9))


def _smeared(mel: Tensor, deviation: Tensor, axis: int) -> Tensor:
    """Each clip under a Gaussian of its own deviation (in steps) along `axis`."""
    import torch

    steps = torch.arange(mel.shape[axis])
    far = (steps[:, None] - steps).float() ** 2
    weights = (-far / (2 * deviation.clamp_min(0.05)[:, None, None] ** 2)).exp()
    weights = weights / weights.sum(-1, keepdim=True)
    return weights @ mel if axis == -2 else mel @ weights.mT


def _sounding(magnitude: Tensor, scale: MelScale, generator: torch.Generator) -> Tensor:
    """A waveform of about these magnitudes [B, n_fft / 2 + 1, frames]: Griffin and Lim's way from a random phase."""
    import torch

    window = torch.hann_window(scale.window)
    how = {"n_fft": scale.n_fft, "hop_length": scale.hop, "win_length": scale.window, "window": window}
    phase = torch.polar(torch.ones_like(magnitude), 6.2832 * torch.rand(magnitude.shape, generator=generator))
    for _ in range(ROUNDS):
        again = torch.stft(torch.istft(magnitude * phase, **how), **how, return_complex=True)
        phase = again / again.abs().clamp_min(1e-9)
    return torch.istft(magnitude * phase, **how)
