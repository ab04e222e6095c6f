"""Split the columns of a mel picture into shape, energy and deviation (paper, Eq. 3 to 6), and put them back (Eq. 8)."""

from __future__ import annotations

from torch import Tensor

FLAT = 1e-6  # of deviation: below it a column is constant but for float noise, which must not become a shape


def decompose(bands: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shape [..., bands, slots], energy [..., slots] and deviation [..., slots] of each column of `bands` [..., bands, slots].

    energy: mean over the bands. deviation: population standard deviation over the bands. shape: what is left, with mean 0 and
    deviation 1 in every column; 0 in a constant column, whose deviation is 0.
    """
    energy = bands.mean(-2)
    away = bands - energy[..., None, :]
    deviation = away.square().mean(-2).sqrt()
    flat = deviation < FLAT
    deviation = deviation.masked_fill(flat, 0)
    shape = away / deviation.masked_fill(flat, 1)[..., None, :]
    return shape.masked_fill(flat[..., None, :], 0), energy, deviation


def compose(shape: Tensor, energy: Tensor, deviation: Tensor) -> Tensor:
    """The bands [..., bands, slots] that `shape` [..., bands, slots], `energy` and `deviation` [..., slots] came from (Eq. 8)."""
    return energy[..., None, :] + shape * deviation[..., None, :]
