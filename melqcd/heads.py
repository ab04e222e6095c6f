"""What a predictor emits for one slot: its loss, how it is read back, and what it costs in bits."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Head:
    """One quantity per slot, as an array [B, n, slots].

    class:  `n` independent choices among `size` codes; long integers in [0, size).
    binary: `n` yes/no questions; 0 or 1.
    scalar: `n` reals, standardised by the predictor on the training split.
    """

    kind: Literal["class", "binary", "scalar"]
    size: int = 2  # codes of one choice; meaningful for `class` only
    n: int = 1  # choices, questions or reals in one slot

    def __post_init__(self):
        if self.kind not in ("class", "binary", "scalar"):
            raise ValueError(f"a head is of kind class, binary or scalar, got {self.kind!r}")
        if self.n < 1 or (self.kind == "class" and self.size < 2):
            raise ValueError(f"a head needs n >= 1 and, for classes, size >= 2, got n={self.n}, size={self.size}")

    @property
    def outputs(self) -> int:
        """Numbers that the network emits per slot: [B, outputs, slots]."""
        return self.n * self.size if self.kind == "class" else self.n

    @property
    def bits(self) -> float:
        """log2 of the number of different values that one slot can take; 0 for reals."""
        return {"class": self.n * log2(self.size), "binary": float(self.n), "scalar": 0.0}[self.kind]

    @property
    def reals(self) -> int:
        """Real numbers per slot."""
        return self.n if self.kind == "scalar" else 0

    def decode(self, output: Tensor, *, threshold: float = 0.5) -> Tensor:
        """The signal [B, n, slots] that network outputs [B, outputs, slots] stand for.

        class: argmax, ties to the lowest code. binary: sigmoid at or above `threshold`. scalar: the value.
        """
        if self.kind == "class":
            return output.unflatten(-2, (self.n, self.size)).argmax(-2)
        if self.kind == "binary":
            return (output.sigmoid() >= threshold).to(output.dtype)
        return output

    def one_hot(self, signal: Tensor, *, sure: float = 20.0) -> Tensor:
        """Outputs [B, outputs, slots] that `decode` reads back as `signal`: what a perfect predictor would emit."""
        if self.kind == "class":
            from torch.nn.functional import one_hot

            return one_hot(signal.long(), self.size).movedim(-1, -2).flatten(-3, -2).to(float_of(signal)) * sure
        if self.kind == "binary":
            return (signal * 2 - 1) * sure
        return signal


def float_of(signal: Tensor):
    """The floating type for what is computed from `signal`."""
    import torch

    return signal.dtype if signal.is_floating_point() else torch.get_default_dtype()
