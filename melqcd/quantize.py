"""Round and clamp shapes to levels (paper, Eq. 7) and number groups of levels as entries of a codebook."""

from __future__ import annotations

import torch
from torch import Tensor


def quantize(shape: Tensor, bound: int) -> Tensor:
    """Levels in -bound ... bound (λ), as floats of the size of `shape`; halves go to the even level."""
    return shape.round().clamp(-bound, bound)


def to_codes(levels: Tensor, bound: int, group: int) -> Tensor:
    """Codes [..., bands // group, slots] of levels [..., bands, slots]: long integers in [0, (2 bound + 1) ** group).

    Each run of `group` bands is one number in base 2 bound + 1, its first (highest) band the least significant digit, as in the
    released code.
    """
    place = (2 * bound + 1) ** torch.arange(group, device=levels.device)
    digits = (levels + bound).long().unflatten(-2, (-1, group))
    return (digits * place[:, None]).sum(-2)


def from_codes(codes: Tensor, bound: int, group: int) -> Tensor:
    """Levels [..., n * group, slots] of codes [..., n, slots], as floats; inverse of `to_codes`."""
    base = 2 * bound + 1
    place = base ** torch.arange(group, device=codes.device)
    digits = codes.long()[..., :, None, :].div(place[:, None], rounding_mode="floor") % base
    return (digits - bound).flatten(-3, -2).to(torch.get_default_dtype())
