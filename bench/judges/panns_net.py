"""PANNs' Cnn14: sound to a vector of 2048 and 527 AudioSet classes. Names of weights are the published ones.

Source: Kong et al., 2020 (arXiv 1912.10211); specification of checkpoints, 7, checked by its goldens.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from melqcd.checkpoints import empty, load_weights, read_weights
from melqcd.stft import filterbank

CLASSES, BANDS, LOW_HZ = 527, 64, 50.0
FLOOR = 1e-10  # of power, before decibels
WIDTHS = (64, 128, 256, 512, 1024, 2048)
FILES = {32000: "Cnn14_mAP=0.431.pth", 16000: "Cnn14_16k_mAP=0.438.pth"}
HIGH_HZ = {32000: 14000.0, 16000: 8000.0}
KERNEL, MEL = "spectrogram_extractor.stft.conv_{}.weight", "logmel_extractor.melW"
CONSTANT = (KERNEL.format("real"), KERNEL.format("imag"), MEL)  # in the file, computed here


class Cnn14(nn.Module):
    """Waves [B, samples] at `rate` to (vectors [B, 2048], logits [B, 527]), the latter before any sigmoid."""

    def __init__(self, rate: int):
        super().__init__()
        self.rate, self.n_fft, self.hop = rate, 1024 * rate // 32000, rate // 100
        self.bn0 = nn.BatchNorm2d(BANDS)
        for i, (before, after) in enumerate(zip((1, *WIDTHS), WIDTHS), 1):
            setattr(self, f"conv_block{i}", Block(before, after))
        self.fc1 = nn.Linear(WIDTHS[-1], WIDTHS[-1])
        self.fc_audioset = nn.Linear(WIDTHS[-1], CLASSES)

    def forward(self, wave: Tensor) -> tuple[Tensor, Tensor]:
        x = self.log_mel(wave)[:, None]  # [B, 1, frames, bands]
        x = self.bn0(x.transpose(1, 3)).transpose(1, 3)
        for i in range(1, len(WIDTHS) + 1):
            x = getattr(self, f"conv_block{i}")(x)
            x = avg_pool2d(x, 2) if i < len(WIDTHS) else x
        x = x.mean(3)
        vector = relu(self.fc1(x.amax(2) + x.mean(2)))
        return vector, self.fc_audioset(vector)

    def log_mel(self, wave: Tensor) -> Tensor:
        """[B, frames, bands] in decibels."""
        window = torch.hann_window(self.n_fft, device=wave.device)
        spectrum = torch.stft(
            wave, self.n_fft, self.hop, window=window, center=True, pad_mode="reflect", return_complex=True
        ).abs()
        bank = torch.tensor(bands(self.rate), dtype=wave.dtype, device=wave.device)
        return 10 * (spectrum.square().transpose(1, 2) @ bank.T).clamp(min=FLOOR).log10()


class Block(nn.Module):
    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))


def bands(rate: int) -> np.ndarray:
    """Mel filters [64, frequencies]."""
    return filterbank(rate, 1024 * rate // 32000, BANDS, LOW_HZ, HIGH_HZ[rate])


def load_panns(path: Path | str, rate: int, *, allow_pickle: bool = False) -> Cnn14:
    """The network for sound at `rate` (16000 or 32000) in the published file, in eval mode.

    The file's own transform matrices must be those that are computed here; a file for the other rate is refused.
    """
    path = Path(path)
    state = read_weights(path, inside=["model"], allow_pickle=allow_pickle)
    net = empty(Cnn14, rate)
    constants = {name: state.pop(name, None) for name in CONSTANT}
    for name, wanted in _computed(net).items():
        held = constants[name]
        if held is None:
            continue
        if tuple(held.shape) != tuple(wanted.shape):
            other = next(r for r in FILES if r != rate)
            raise ValueError(
                f"{path} is of another rate: {name} is {list(held.shape)}, at {rate} Hz it is {list(wanted.shape)}; "
                f"{FILES[rate]} is needed, {FILES[other]} is judge panns{other // 1000}k"
            )
        far = float((held.float() - wanted).abs().max())
        if far > 1e-4:
            raise ValueError(f"{path} hears otherwise than Cnn14 does: {name} differs by {far:.2g} from what {rate} Hz asks for")
    load_weights(net, state, path)
    return net.eval()


def _computed(net: Cnn14) -> dict[str, Tensor]:
    """What the published file keeps beside its weights: the windowed transform and the mel filters."""
    n = net.n_fft
    turns = np.outer(np.arange(n // 2 + 1), np.arange(n)) * 2 * np.pi / n
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    kernels = {"real": np.cos(turns) * window, "imag": -np.sin(turns) * window}
    made = {KERNEL.format(k): torch.tensor(v[:, None], dtype=torch.float32) for k, v in kernels.items()}
    return made | {MEL: torch.tensor(bands(net.rate).T, dtype=torch.float32)}
