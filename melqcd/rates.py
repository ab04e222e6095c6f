"""Sound at another sampling rate, for whole batches of tensors on any device."""

from __future__ import annotations

from functools import cache
from math import gcd

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

CROSSINGS = 24  # zero crossings of the sinc on either side: its stop band begins 4 % above the lower Nyquist frequency
ROLL = 0.96  # of the lower Nyquist frequency: where the pass band ends


def resample(wave: Tensor, rate: int, to: int) -> Tensor:
    """[..., N] at `rate` as [..., ceil(N to / rate)] at `to`: a sinc in a Hann window; sound before and after the clip is silence.

    The same for each clip of a batch, whatever lies beside it. bench.media.resample (soxr) is for files, one at a time.
    """
    if rate == to:
        return wave
    *lead, length = wave.shape
    up, down = to // gcd(rate, to), rate // gcd(rate, to)
    kernel, reach = _kernel(up, down, wave.device, wave.dtype)
    rows = -(-length // down)  # blocks of `down` samples in, `up` samples out
    flat = pad(wave.reshape(-1, 1, length), (reach, reach + rows * down - length + down))
    made = conv1d(flat, kernel, stride=down)[..., :rows]  # [B, up, rows]
    return made.transpose(1, 2).reshape(*lead, rows * up)[..., : -(-length * up // down)]


@cache
def _kernel(up: int, down: int, device, dtype) -> tuple[Tensor, int]:
    """[up, 1, taps]: for each of the `up` outputs of a block, its weights on the samples around the block's first."""
    with torch.inference_mode(False):
        lower = min(1.0, up / down) * ROLL  # of the pass band, in cycles of the incoming Nyquist frequency
        reach = int(CROSSINGS / lower) + 1
        taps = torch.arange(-reach, reach + down + 1, dtype=torch.float64)
        at = taps[None] - torch.arange(up, dtype=torch.float64)[:, None] * down / up
        window = torch.cos(torch.pi * at * lower / CROSSINGS / 2).square() * (at.abs() * lower < CROSSINGS)
        kernel = torch.sinc(at * lower) * lower * window
        kernel = kernel / kernel.sum(1, keepdim=True)  # a constant stays what it was
        return kernel[:, None].to(device, dtype), reach
