"""Moving pictures as the encoders of video are taught with them: cut, mirrored, moved and recoloured by chance, the same for a whole clip.

Pictures stay bytes until they are cut: a step of training spent a quarter of its time on numbers that nobody looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MOVED = 2  # pixels, at most, in either direction: a camera held elsewhere
LIGHT = 0.15  # half-width of the factor on brightness, and of that on contrast
TINT = 0.05  # half-width of the factor on each colour: more would turn iron into copper


def moved(frames: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 [B, T, h, w, 3] of the same: each clip moved by up to MOVED pixels, its edge continued, and every second one mirrored."""
    import torch

    count, _, height, width, _ = frames.shape
    down, right = (torch.randint(-MOVED, MOVED + 1, (count, 1), generator=generator) for _ in range(2))
    mirrored = torch.rand(count, 1, generator=generator) < 0.5
    rows = (torch.arange(height) + down).clamp(0, height - 1)
    columns = (torch.arange(width) + right).clamp(0, width - 1)
    columns = torch.where(mirrored, columns.flip(1), columns)
    cut = [f.index_select(1, y).index_select(2, x) for f, y, x in zip(frames, rows, columns, strict=True)]
    return torch.stack(cut)


def light(frames: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(gain, offset) [B, 3] of another exposure of each clip: its picture in about 0 ... 1 is gain * byte + offset."""
    import torch

    def factor(half: float, *size: int) -> Tensor:
        return 1 + half * (torch.rand(len(frames), *size, generator=generator) * 2 - 1)

    middle = frames[:, :1, ::4, ::4].float().mean((1, 2, 3, 4))[:, None] / 255
    contrast, colour = factor(LIGHT, 1), factor(LIGHT, 1) * factor(TINT, 3)
    return contrast * colour / 255, (1 - contrast) * middle * colour


def shown(frames: Tensor, lit: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """float [B, ..., 3, T, h, w] in about 0 ... 1 from uint8 [B, ..., T, h, w, 3], as it is or in another `light`."""
    if lit is None:
        pictures = frames.float().div_(255)
    else:
        gain, offset = (v.reshape(len(frames), *[1] * (frames.ndim - 2), 3) for v in lit)
        pictures = frames.float().mul_(gain).add_(offset)
    return pictures.movedim(-1, -4)


def varied(frames: Tensor, generator: torch.Generator) -> Tensor:
    """float [B, 3, T, h, w] in about 0 ... 1 from uint8 [B, T, h, w, 3], moved, mirrored and lit by chance."""
    return shown(moved(frames, generator), light(frames, generator))


def windows(frames: Tensor, at: Tensor, size: int, ends: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """[B, K, size, ...] from [B, T, ...]: around frame `at` [B, K] the frames at - size / 2 ... at + size / 2 - 1.

    Beyond a clip's ends, or beyond `ends` (first and last frame [B]), its first and last frame stand still, as in Mel-QCD's use of
    Synchformer.
    """
    import torch

    near = at[..., None] + torch.arange(size) - size // 2
    first, last = ends if ends is not None else (torch.zeros(len(frames)).long(), torch.full((len(frames),), frames.shape[1] - 1))
    near = near.maximum(first[:, None, None]).minimum(last[:, None, None])
    return torch.stack([f[n] for f, n in zip(frames, near, strict=True)])
