"""Fewer slots and fewer bands than the mel has, and back: the reductions and fillings of Tables 5 and 6."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad


def to_slots(
    columns: Tensor, step: int, frames: Tensor, *, temporal: str = "downsample", window: int = 9, order: int = 2
) -> Tensor:
    """One column for every `step` of [B, rows, frames]: [B, rows, ceil(frames / step)]; `frames` [B] of each clip's are real.

    temporal: downsample takes the first, mean the mean, smooth the first after a Savitzky-Golay fit of `window` frames and `order`.
    Slots beyond a clip's end take the first of their columns.
    """
    if temporal == "downsample":
        return columns[..., ::step]
    if temporal == "mean":
        return mean(columns, step, frames)
    if temporal == "smooth":
        return smooth(columns, window, order, frames, step=step)
    raise ValueError(f"temporal must be downsample, mean or smooth, got {temporal!r}")


def mean(columns: Tensor, step: int, frames: Tensor) -> Tensor:
    """The mean of every `step` columns of [B, rows, frames], over those inside the clip: [B, rows, ceil(frames / step)]."""
    if step == 1:
        return columns
    length = columns.shape[-1]
    inside = (torch.arange(length, device=columns.device) < frames.to(columns.device)[:, None]).to(columns.dtype)[:, None]
    sums, counts = (pad(x, (0, -length % step)).unflatten(-1, (-1, step)).sum(-1) for x in (columns * inside, inside))
    return torch.where(counts > 0, sums / counts.clamp(min=1), columns[..., ::step])


def smooth(columns: Tensor, window: int, order: int, frames: Tensor, *, step: int = 1) -> Tensor:
    """Savitzky-Golay smoothing along time of [B, rows, frames], every `step` columns: a polynomial fit to those around, read there.

    window: columns in a fit, odd. order: of the polynomial, below `window`. frames: [B], columns inside each clip; near its ends
    the fit keeps its place and is read off its middle (scipy's mode "interp"), and a clip shorter than the window is fitted whole.
    Columns beyond the clip are left as they are.
    """
    length = columns.shape[-1]
    if window == 1 or length == 0:
        return columns[..., ::step]
    fits = _fits(window, order, columns.device, columns.dtype)
    ends = frames.to(columns.device)[:, None]
    at = torch.arange(0, length, step, device=columns.device)
    size = ends.clamp(1, window)
    start = torch.minimum((at - window // 2).clamp(min=0), (ends - size).clamp(min=0))  # [B, slots], of each fit
    weights = fits[size, (at - start).clamp(0, window - 1)]  # [B, slots, window]
    reach = (start[..., None] + torch.arange(window, device=columns.device)).clamp(max=length - 1)
    around = columns.gather(-1, reach.flatten(1)[:, None].expand(-1, columns.shape[1], -1)).unflatten(-1, reach.shape[1:])
    fitted = (around * weights[:, None]).sum(-1)
    return torch.where((at < ends)[:, None], fitted, columns[..., ::step])


@cache
def _fits(window: int, order: int, device, dtype) -> Tensor:
    """[size, offset, i]: the weight of point i in the fit over the first `size` points, read at point `offset`."""
    table = np.zeros((window + 1, window, window))
    for size in range(1, window + 1):
        powers = np.vander(np.arange(size) - (size - 1) / 2, min(order, size - 1) + 1)
        table[size, :size, :size] = powers @ np.linalg.pinv(powers)
    with torch.inference_mode(False):
        return torch.from_numpy(table).to(device, dtype)


def band_means(rows: Tensor, bands: int) -> Tensor:
    """The means of `bands` groups of neighbouring rows: [..., rows, slots] to [..., bands, slots]."""
    if rows.shape[-2] % bands:
        raise ValueError(f"{rows.shape[-2]} mel bins do not divide into {bands} bands of equal size")
    return rows.unflatten(-2, (bands, -1)).mean(-2)


def fill(bands: Tensor, bins: int, frames: int, *, sparse: bool = False) -> Tensor:
    """A picture [B, bins, frames] of band values [B, bands, slots]: every slot and band repeated over the space that it stands for.

    sparse: each band lights only the middle one of its bins, the others are 0. The columns a slot stands for follow from the number
    of slots, which must be ceil(frames / step) for a whole step.
    """
    rows = bands.shape[-2]
    if bins % rows:
        raise ValueError(f"{rows} bands cannot fill {bins} mel bins evenly")
    lead, high = bands.shape[:-2], bins // rows
    columns = to_columns(bands, frames)  # while it is small: what follows copies whole rows
    if sparse:
        picture = columns.new_zeros(*lead, rows, high, frames)
        picture[..., high // 2, :] = columns
    else:
        picture = columns[..., None, :].expand(*lead, rows, high, frames)
    return picture.reshape(*lead, bins, frames)


def to_columns(values: Tensor, frames: int) -> Tensor:
    """[..., frames] of [..., slots]: every slot repeated over the columns that it stands for.

    Raises ValueError unless there are ceil(frames / step) slots for a whole step.
    """
    slots = values.shape[-1]
    step = -(-frames // slots) if slots else 0
    if slots == 0 or -(-frames // step) != slots:
        raise ValueError(f"{slots} slots do not fit {frames} frames: there must be ceil(frames / step) of them for a whole step")
    return values.repeat_interleave(step, -1)[..., :frames]


def late(columns: Tensor, skew: int) -> Tensor:
    """[..., frames] columns stretched until the last shows what was `skew` columns before it; the first stays in its place.

    Raises ValueError where there are not as many columns.
    """
    last = columns.shape[-1] - 1
    if skew > last:
        raise ValueError(f"skew must be below the {last + 1} frames of the picture, got {skew}")
    return columns[..., torch.arange(last + 1, device=columns.device) * (last - skew) // max(1, last)]
