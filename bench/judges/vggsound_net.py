"""VGGSound's own classifiers: ResNet18 on log spectrograms, with the mean (H) or NetVLAD (I) at its end. Published names of weights.

Source: Chen et al., 2020 (VGGSound); specification of checkpoints, 7, checked by its goldens.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from melqcd.checkpoints import empty, load_weights, read_weights

CLASSES, WIDTH, CENTRES = 309, 512, 16
RATE, SAMPLES = 16000, 160_000
WINDOW, OVERLAP = 512, 353  # samples
FLOOR = 1e-7  # of power, before the logarithm


class ResNet18(nn.Module):
    """Spectrograms [B, 1, 257, frames] to (vectors [B, 512 or 8192], logits [B, 309])."""

    def __init__(self, vlad: bool):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        wide = (64, 64, 128, 256, 512)
        for i in range(1, 5):
            stride = 1 if i == 1 else 2
            layer = nn.Sequential(Block(wide[i - 1], wide[i], stride), Block(wide[i], wide[i], 1))
            setattr(self, f"layer{i}", layer)
        self.vlad = vlad
        if vlad:
            self.avgpool = NetVLAD()
            self.fc_ = nn.Linear(WIDTH * CENTRES, CLASSES)
        else:
            self.fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.maxpool(relu(self.bn1(self.conv1(x))))
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
        vector = self.avgpool(x) if self.vlad else x.mean((2, 3))
        return vector, (self.fc_ if self.vlad else self.fc)(vector)


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class NetVLAD(nn.Module):
    """Every place's unit vector, less each centre, weighted by how much it belongs there and summed (Arandjelovic et al., 2016)."""

    def __init__(self):
        super().__init__()
        self.centroids = nn.Parameter(torch.rand(CENTRES, WIDTH))
        self.conv = nn.Conv2d(WIDTH, CENTRES, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = normalize(x, dim=1)
        share = self.conv(x).flatten(2).softmax(1)  # [B, centres, places]
        away = share @ x.flatten(2).mT - share.sum(-1, keepdim=True) * self.centroids
        return normalize(normalize(away, dim=2).flatten(1), dim=1)


def vggsound_mel(wave: NDArray) -> NDArray:
    """float32 [257, 1004] from mono `wave` [samples] at 16 kHz: repeated ten times, cut to ten seconds, clipped, log power, standardised.

    The whole picture has mean 0 and deviation 1, so silence is all zeros.
    """
    from scipy.signal import spectrogram

    wave = np.clip(np.tile(np.asarray(wave), 10)[:SAMPLES], -1, 1)
    wave = np.pad(wave, (0, SAMPLES - len(wave)))  # what is shorter than a second even when repeated
    power = spectrogram(wave, RATE, nperseg=WINDOW, noverlap=OVERLAP)[2]
    log = np.log(power + FLOOR)
    return ((log - log.mean()) / (log.std() + 1e-9)).astype(np.float32)


def load_vggsound(path: Path | str, *, allow_pickle: bool = False) -> ResNet18:
    """The network in H.pth.tar (mean) or I.pth.tar (NetVLAD), told apart by their names, in eval mode."""
    state = read_weights(path, inside=["model_state_dict"], prefix="audnet.", allow_pickle=allow_pickle)
    net = empty(ResNet18, any(k.startswith("avgpool.") for k in state))
    load_weights(net, state, path)
    return net.eval()
