"""The sounds of a pool as the lab's judges hear them: whole, worn, and varied by chance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.context import Context
from bench.judges.lab_ears import SPREAD, heard
from bench.lab.networks.wear import worn
from bench.lab.pools import Pool
from bench.store import replace_file
from melqcd.mel import Lab

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BLOCK = 150  # clips heard between two looks at the stop flag
UNIT = 1 / SPREAD  # of what is heard, per nat of log power
GAIN = 1.2  # nat, half-width of the loudness added: loudness must not name a class
FLOOR = (6.0, 20.0)  # nat, range by which the noise added lies below the loudest point: 26 to 87 dB


def rows_and_worn(data: Pool, every: int) -> np.ndarray:
    """The pool's rows, then every `every`-th of train and all of test a second time, which stand for worn sound; 0: none."""
    rows = np.arange(len(data.label))
    return np.concatenate([rows, rows[: len(data.train)][::every], np.array(data.test)]) if every else rows


def sounds(part: Path, ctx: Context, data: Pool, rows: np.ndarray, *, bands: int, frames: int, seed: int) -> np.ndarray:
    """float32 [rows, frames, bands], kept in blocks beside the checkpoint, for it takes minutes. Where a row comes again, the sound is worn."""
    import torch

    again = np.arange(len(rows)) >= len(data.label)
    found = []
    for first in ctx.track(range(0, len(rows), BLOCK), "filter banks"):
        path = part / f"sound-{first:06d}.npy"
        if not path.exists():
            at = rows[first : first + BLOCK]
            samples = np.array(data.samples[at])
            wave = torch.from_numpy(data.wave[at].astype(np.float32) / 32767)
            old = torch.from_numpy(again[first : first + BLOCK])
            if old.any():
                chance = torch.Generator().manual_seed(seed * 1_000_003 + first)
                wave[old] = worn(wave[old], torch.from_numpy(samples)[old].long(), Lab(), chance)
            made = [heard(w[:n], bands, frames) for w, n in zip(wave.numpy(), samples, strict=True)]
            block = np.stack(made).astype(np.float16)
            replace_file(path, lambda draft, block=block: _save(draft, block))
        found.append(np.load(path))
        ctx.check()
    return np.concatenate(found).astype(np.float32)


def varied(found: Tensor, generator: torch.Generator, shift: int = 50) -> Tensor:
    """[B, frames, bands] louder or softer, smeared, over noise, a stretch of time and of bands left out, moved by up to `shift` frames."""
    import torch

    n, frames, bands = found.shape

    def pick(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (n, 1), generator=generator)

    def chance() -> Tensor:
        return torch.rand(n, 1, 1, generator=generator)

    time, band = torch.arange(frames), torch.arange(bands)
    moved = found.gather(1, ((time + pick(-shift, shift + 1)) % frames)[..., None].expand(-1, -1, bands))
    smeared = torch.nn.functional.avg_pool2d(moved, 3, 1, 1, count_include_pad=False)
    moved = torch.lerp(moved, smeared, (1.5 * chance() - 0.5).clamp_min(0))
    floor = moved.amax((1, 2), keepdim=True) - (FLOOR[0] + (FLOOR[1] - FLOOR[0]) * chance()) * UNIT
    noise = floor + UNIT * torch.randn(moved.shape, generator=generator)
    moved = UNIT * torch.logaddexp(moved / UNIT, noise / UNIT)
    moved = moved + (chance() * 2 - 1) * GAIN * UNIT
    first, wide = pick(0, frames), pick(0, 40)
    low, high = pick(0, bands), pick(0, 10)
    gone = ((time >= first) & (time < first + wide))[:, :, None] | ((band >= low) & (band < low + high))[:, None]
    return moved.masked_fill(gone, 0)


def _save(draft: Path, array: np.ndarray) -> None:
    with open(draft, "wb") as file:
        np.save(file, array)
