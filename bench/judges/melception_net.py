"""Melception: Inception v3 that sees a mel picture and tells 309 classes of VGGSound. Names of weights are the published ones.

Differs from Inception in its one colour and in having neither of the two max-pools between the first layers.
Source: SpecVQGAN (Iashin and Rahtu, 2021); specification of checkpoints, 7, checked by its golden.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

from melqcd.checkpoints import empty, load_weights, read_weights

CLASSES, WIDTH = 309, 2048
EPS = 1e-3  # of the batch norms, as Inception has it
AUXILIARY = "AuxLogits."  # a head of training that the published file keeps


class Conv(nn.Module):
    """A convolution without bias, normalised, rectified."""

    def __init__(self, before: int, after: int, kernel: int | tuple[int, int], *, stride: int = 1, padding: int | None = None):
        super().__init__()
        sizes = (kernel, kernel) if isinstance(kernel, int) else kernel
        around = (sizes[0] // 2, sizes[1] // 2) if padding is None else padding
        self.conv = nn.Conv2d(before, after, sizes, stride, around, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Several ways through, side by side: each way a row of layers by name, two layers in one place both see the same."""

    def __init__(self, ways: tuple[tuple[str | tuple[str, str], ...], ...], layers: dict[str, Conv], pool: str):
        super().__init__()
        self.ways, self.pool = ways, pool
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for way in self.ways:
            y = x
            for name in way:
                y = torch.cat([getattr(self, n)(y) for n in name], 1) if isinstance(name, tuple) else getattr(self, name)(y)
            found.append(y)
        if self.pool == "mean":
            found.append(self.branch_pool(avg_pool2d(x, 3, 1, 1)))  # type: ignore[operator]
        else:
            found.append(max_pool2d(x, 3, 2))
        return torch.cat(found, 1)


def _a(before: int, pool: int) -> Mixed:
    layers = {
        "branch1x1": Conv(before, 64, 1),
        "branch5x5_1": Conv(before, 48, 1),
        "branch5x5_2": Conv(48, 64, 5),
        "branch3x3dbl_1": Conv(before, 64, 1),
        "branch3x3dbl_2": Conv(64, 96, 3),
        "branch3x3dbl_3": Conv(96, 96, 3),
        "branch_pool": Conv(before, pool, 1),
    }
    return Mixed((("branch1x1",), ("branch5x5_1", "branch5x5_2"), _row("branch3x3dbl", 3)), layers, "mean")


def _b(before: int) -> Mixed:
    layers = {
        "branch3x3": Conv(before, 384, 3, stride=2, padding=0),
        "branch3x3dbl_1": Conv(before, 64, 1),
        "branch3x3dbl_2": Conv(64, 96, 3),
        "branch3x3dbl_3": Conv(96, 96, 3, stride=2, padding=0),
    }
    return Mixed((("branch3x3",), _row("branch3x3dbl", 3)), layers, "largest")


def _c(before: int, inner: int) -> Mixed:
    layers = {
        "branch1x1": Conv(before, 192, 1),
        "branch7x7_1": Conv(before, inner, 1),
        "branch7x7_2": Conv(inner, inner, (1, 7)),
        "branch7x7_3": Conv(inner, 192, (7, 1)),
        "branch7x7dbl_1": Conv(before, inner, 1),
        "branch7x7dbl_2": Conv(inner, inner, (7, 1)),
        "branch7x7dbl_3": Conv(inner, inner, (1, 7)),
        "branch7x7dbl_4": Conv(inner, inner, (7, 1)),
        "branch7x7dbl_5": Conv(inner, 192, (1, 7)),
        "branch_pool": Conv(before, 192, 1),
    }
    return Mixed((("branch1x1",), _row("branch7x7", 3), _row("branch7x7dbl", 5)), layers, "mean")


def _d(before: int) -> Mixed:
    layers = {
        "branch3x3_1": Conv(before, 192, 1),
        "branch3x3_2": Conv(192, 320, 3, stride=2, padding=0),
        "branch7x7x3_1": Conv(before, 192, 1),
        "branch7x7x3_2": Conv(192, 192, (1, 7)),
        "branch7x7x3_3": Conv(192, 192, (7, 1)),
        "branch7x7x3_4": Conv(192, 192, 3, stride=2, padding=0),
    }
    return Mixed((_row("branch3x3", 2), _row("branch7x7x3", 4)), layers, "largest")


def _e(before: int) -> Mixed:
    layers = {
        "branch1x1": Conv(before, 320, 1),
        "branch3x3_1": Conv(before, 384, 1),
        "branch3x3_2a": Conv(384, 384, (1, 3)),
        "branch3x3_2b": Conv(384, 384, (3, 1)),
        "branch3x3dbl_1": Conv(before, 448, 1),
        "branch3x3dbl_2": Conv(448, 384, 3),
        "branch3x3dbl_3a": Conv(384, 384, (1, 3)),
        "branch3x3dbl_3b": Conv(384, 384, (3, 1)),
        "branch_pool": Conv(before, 192, 1),
    }
    ways = (
        ("branch1x1",),
        ("branch3x3_1", ("branch3x3_2a", "branch3x3_2b")),
        ("branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")),
    )
    return Mixed(ways, layers, "mean")


def _row(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{i}" for i in range(1, count + 1))


class Melception(nn.Module):
    """Standardised mel pictures [B, 80, frames] to (vectors [B, 2048], logits [B, 309])."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(1, 32, 3, stride=2, padding=0)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3, padding=0)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3, padding=0)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32), _a(256, 64), _a(288, 64)
        self.Mixed_6a = _b(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = _c(768, 128), _c(768, 160), _c(768, 160), _c(768, 192)
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = _d(768), _e(1280), _e(2048)
        self.fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        x = mel[:, None]
        for name, layer in self.named_children():
            if name != "fc":
                x = layer(x)
        vector = x.mean((2, 3))
        return vector, self.fc(vector)


def load_melception(path: Path | str, *, allow_pickle: bool = False) -> Melception:
    """The network in SpecVQGAN's file, in eval mode."""
    state = read_weights(path, inside=["model"], allow_pickle=allow_pickle)
    net = empty(Melception)
    kept = {k: v for k, v in state.items() if not k.startswith(AUXILIARY)}
    load_weights(net, kept, path)
    return net.eval()
