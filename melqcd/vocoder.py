"""Mel spectrogram to sound: HiFi-GAN of Auffusion's shape, or Griffin-Lim.

Both are called alike: natural-log mel [B, bins, frames], row 0 the lowest band, to waves [B, frames * hop] in [-1, 1].
Source: HiFi-GAN (Kong et al., 2020) in Auffusion's variant (specification of checkpoints, 3), checked by its golden.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv_transpose1d, fold, leaky_relu

from melqcd.checkpoints import empty, load_weights, read_weights
from melqcd.mel import MelScale
from melqcd.sizes import GriffinLim, HifiGanSize
from melqcd.stft import filterbank

__all__ = ["GriffinLim", "HifiGan", "HifiGanSize", "griffin_lim", "int16", "load_hifigan", "save_hifigan"]

SLOPE = 0.1  # of the leaky rectifiers; the last one has torch's own 0.01, as in every published HiFi-GAN
WEIGHTS = ("vocoder.safetensors", "model.safetensors", "vocoder.pt")  # tried in this order


class HifiGan(nn.Module):
    """The generator; its state dict has the published names (weight_g, weight_v)."""

    def __init__(self, size: HifiGanSize):
        super().__init__()
        self.size = size
        wide = [size.channels >> i for i in range(len(size.rates) + 1)]
        self.conv_pre = Conv(size.mels, wide[0], 7)
        self.ups = nn.ModuleList(Conv(wide[i], wide[i + 1], k, rate=r) for i, (r, k) in enumerate(zip(size.rates, size.kernels)))
        self.resblocks = nn.ModuleList(
            Block(channels, k, d) for channels in wide[1:] for k, d in zip(size.block_kernels, size.dilations)
        )
        self.conv_post = Conv(wide[-1], 1, 7)

    def forward(self, mel: Tensor) -> Tensor:
        """[B, frames * hop] for `mel` [B, mels, frames]; any number of frames."""
        x, across = self.conv_pre(mel), len(self.size.block_kernels)
        for i, up in enumerate(self.ups):
            x = up(leaky_relu(x, SLOPE))
            x = torch.stack([block(x) for block in self.resblocks[i * across : (i + 1) * across]]).mean(0)
        return self.conv_post(leaky_relu(x)).tanh().squeeze(1)


class Block(nn.Module):
    """Dilated convolutions, each followed by a plain one and added to what came in."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]):
        super().__init__()
        self.convs1 = nn.ModuleList(Conv(channels, channels, kernel, dilation=d) for d in dilations)
        self.convs2 = nn.ModuleList(Conv(channels, channels, kernel) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2):
            x = x + plain(leaky_relu(dilated(leaky_relu(x, SLOPE)), SLOPE))
        return x


class Conv(nn.Module):
    """A convolution, transposed where `rate` > 1, whose weight is a direction (weight_v) and a length (weight_g) for each first index."""

    def __init__(self, before: int, after: int, kernel: int, *, rate: int = 1, dilation: int = 1):
        super().__init__()
        shape = (before, after, kernel) if rate > 1 else (after, before, kernel)
        self.weight_v = nn.Parameter(torch.randn(shape) * (before * kernel / rate) ** -0.5)  # keeps the variance of what passes
        self.weight_g = nn.Parameter(self.weight_v.detach().norm(dim=(1, 2), keepdim=True))
        self.bias = nn.Parameter(torch.zeros(after))
        self.rate, self.dilation = rate, dilation
        # with an odd difference one sample would be lacking: Auffusion cuts one more on the left and none on the right
        self.odd = (kernel - rate) % 2 if rate > 1 else 0
        self.padding = (kernel - rate) // 2 + self.odd if rate > 1 else dilation * (kernel - 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=(1, 2), keepdim=True))
        if self.rate == 1:
            return conv1d(x, weight, self.bias, padding=self.padding, dilation=self.dilation)
        return conv_transpose1d(x, weight, self.bias, self.rate, self.padding, self.odd)


def load_hifigan(folder: Path | str, scale: MelScale | None = None) -> HifiGan:
    """The generator in a folder of Auffusion's kind: config.json beside vocoder.pt ({"generator": ...}) or a .safetensors file.

    scale: what it is to be used at; a file for another number of bands or another hop is refused.
    Raises FileNotFoundError or ValueError naming the file at fault.
    """
    folder = Path(folder)
    config = folder / "config.json"
    path = next((folder / name for name in WEIGHTS if (folder / name).exists()), None)
    if not config.exists() or path is None:
        raise FileNotFoundError(f"{folder} holds no vocoder: config.json and one of {', '.join(WEIGHTS)} are needed")
    try:
        size = HifiGanSize.read(json.loads(config.read_text()))
    except ValueError as error:
        raise ValueError(f"{config} does not describe a HiFi-GAN: {error}") from error
    if scale is not None and (size.mels, size.hop) != (scale.bins, scale.hop):
        raise ValueError(
            f"{config} is for {size.mels} mel bands and {size.hop} samples a frame, the scale has {scale.bins} and {scale.hop}"
        )
    net = empty(HifiGan, size)
    load_weights(net, read_weights(path, inside=["generator"]), f"{path} (built as {config.name} says)")
    return net.eval()


def save_hifigan(net: HifiGan, folder: Path) -> None:
    """Write `net` as `load_hifigan` reads it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / WEIGHTS[0])
    (folder / "config.json").write_text(json.dumps(net.size.config(), indent=1) + "\n")


@torch.no_grad()
def griffin_lim(mel: Tensor, scale: MelScale, how: GriffinLim | None = None) -> Tensor:
    """Waves [B, frames * hop] whose log mel at `scale` is close to `mel` [B, bins, frames]; clips do not depend on one another.

    Not clipped: a mel that no sound has may give values beyond 1.
    Source: Griffin and Lim (1984) with the momentum of Perraudin et al. (2013).
    """
    how = how or GriffinLim()
    target = _spread(mel.float().exp(), scale, how.spread_steps)  # [B, frames, frequencies]
    phase = torch.rand(target.shape[1:], generator=torch.Generator().manual_seed(how.seed)).to(mel.device) * 2 * torch.pi
    angles, before = torch.polar(torch.ones_like(phase), phase).expand(target.shape), None
    window = torch.hann_window(scale.window, device=mel.device)
    for _ in range(how.steps):
        consistent = _transform(_overlapped(target * angles, window, scale), window, scale)
        angles = consistent if before is None else consistent + how.momentum * (consistent - before)
        angles = angles / angles.abs().clamp(min=1e-12)
        before = consistent
    wave = _overlapped(target * angles, window, scale)
    cut = (scale.window - scale.hop) // 2  # of the padding, what lies beyond the window's own zeros
    return wave[:, cut : cut + mel.shape[-1] * scale.hop]


def int16(wave: Tensor | np.ndarray) -> np.ndarray:
    """`wave` in [-1, 1] as 16-bit integers, truncated as Auffusion does, but clipped first: its 1.0 wraps to -32768."""
    wave = wave.detach().cpu().numpy() if isinstance(wave, Tensor) else wave
    return np.clip(np.nan_to_num(wave) * 32768.0, -32768, 32767).astype(np.int16)


def _spread(mel: Tensor, scale: MelScale, steps: int) -> Tensor:
    """Magnitudes [B, frames, frequencies] >= 0 whose mel is `mel`: least squares by multiplicative steps (Lee and Seung, 2001)."""
    bank, first, gram = _bank(scale, mel.device)
    mel = mel.transpose(1, 2)
    found, wanted = mel @ first, mel @ bank
    for _ in range(steps):
        found = found * wanted / (found @ gram).clamp(min=1e-12)
    return found


@cache
def _bank(scale: MelScale, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Mel filters [bins, frequencies], a first guess of their inverse without negative values, and their Gram matrix."""
    bank = filterbank(scale.rate, scale.n_fft, scale.bins, scale.low_hz, scale.high_hz)
    # each frequency takes the weighted mean of the bands that reach it; a band's magnitude is its sum over about 1 / height bins
    first = bank / np.maximum((bank * bank.sum(1, keepdims=True)).sum(0), 1e-12)
    with torch.inference_mode(False):
        return tuple(torch.tensor(m).to(device, torch.float32) for m in (bank, first, bank.T @ bank))  # type: ignore[return-value]


def _transform(wave: Tensor, window: Tensor, scale: MelScale) -> Tensor:
    """[B, frames, n_fft // 2 + 1] of `wave` [B, window + (frames - 1) * hop]."""
    return torch.fft.rfft(wave.unfold(-1, scale.window, scale.hop) * window, n=scale.n_fft)


def _overlapped(spectrum: Tensor, window: Tensor, scale: MelScale) -> Tensor:
    """The wave [B, window + (frames - 1) * hop] whose windowed pieces are closest to those of `spectrum`."""
    pieces = torch.fft.irfft(spectrum, n=scale.n_fft)[..., : scale.window] * window
    length = scale.window + (pieces.shape[1] - 1) * scale.hop
    both = torch.cat([pieces, window.square().expand(1, pieces.shape[1], -1)]).transpose(1, 2)
    added = fold(both, (1, length), (1, scale.window), stride=(1, scale.hop))[:, 0, 0]
    return added[:-1] / added[-1].clamp(min=1e-4)
