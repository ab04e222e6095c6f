"""The lab's pair: convolutions over a moving picture and over a sound, which tell of each slot of 40 ms what it is and what changes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

SEEN, KEPT = (32, 48), 96  # channels of the picture's two layers; features of a frame
CHANGE = 4.0  # factor on the difference of two frames: what moves is small and dark beside what stands


class Told(NamedTuple):
    """Of a moving picture or a sound, slot by slot. Apart, because in one space what changes is lost beside what stays."""

    what: Tensor  # [B, T, dims]
    when: Tensor  # [B, T, dims], fewer


class Pair(nn.Module):
    """`look` and `listen` tell of each slot. Nothing says where in a clip a slot lies but what is near it: within half a second."""

    def __init__(self, size: int, bands: int, width: int, what: int, when: int):
        super().__init__()
        self.eye, self.ear, self.parts = _Eye(size, width, what + when), _Ear(bands, width, what + when), (what, when)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def look(self, pictures: Tensor) -> Told:
        """pictures: [B, T, 3, size, size], RGB in 0 ... 1, 25 a second."""
        return Told(*self.eye(pictures).split(self.parts, -1))

    def listen(self, heard: Tensor) -> Told:
        """heard: [B, 4 T, bands], normalised log filter banks, 100 a second."""
        return Told(*self.ear(heard).split(self.parts, -1))


class _Eye(nn.Module):
    """Each frame and its change from the one before through convolutions, then those over time."""

    def __init__(self, size: int, width: int, dims: int):
        super().__init__()
        first, second = SEEN
        self.frame = nn.Sequential(
            nn.Conv2d(6, first, 6, 4, 1), nn.BatchNorm2d(first), nn.ReLU(),
            nn.Conv2d(first, second, 3, 2, 1), nn.BatchNorm2d(second), nn.ReLU(),
            nn.Flatten(), nn.Linear(second * _left(size) ** 2, KEPT),
        )  # fmt: skip
        self.time = nn.Sequential(_over(KEPT, width, 5), _Again(width), _Again(width), nn.Conv1d(width, dims, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        change = torch.diff(pictures, dim=1, prepend=pictures[:, :1])
        each = torch.cat([2 * pictures - 1, CHANGE * change], 2)
        flat = each.flatten(0, 1).contiguous(memory_format=torch.channels_last)  # a third less time on a CPU
        return self.time(self.frame(flat).unflatten(0, each.shape[:2]).mT).mT


class _Ear(nn.Module):
    """Convolutions over time alone, from 100 frames a second to 25 slots."""

    def __init__(self, bands: int, width: int, dims: int):
        super().__init__()
        self.time = nn.Sequential(
            _over(bands, width, 5), _over(width, width, 4, 2, 1), _over(width, width, 4, 2, 1),
            _Again(width), _Again(width), nn.Conv1d(width, dims, 1),
        )  # fmt: skip

    def forward(self, found: Tensor) -> Tensor:
        return self.time(found.mT).mT


def _left(size: int) -> int:
    """Of `size` pixels, after both layers."""
    return (((size - 4) // 4 + 1) - 1) // 2 + 1


def _over(before: int, width: int, wide: int, step: int = 1, beside: int | None = None) -> nn.Sequential:
    """Edges are continued, not zeroed: zeros would tell where in the clip a slot lies, and that is no synchrony."""
    beside = wide // 2 if beside is None else beside
    conv = nn.Conv1d(before, width, wide, step, beside, padding_mode="replicate")
    return nn.Sequential(conv, nn.BatchNorm1d(width), nn.GELU())


class _Again(nn.Module):
    """A layer over time beside what went in."""

    def __init__(self, width: int):
        super().__init__()
        self.layer = _over(width, width, 5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(x)
