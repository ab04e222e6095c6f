"""No control: the floor of every table, sound from the text alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controls.base import Batch, Control

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.heads import Head
    from melqcd.mel import MelScale


@dataclass(frozen=True)
class NoControl(Control):
    """A black picture for every clip."""

    def heads(self) -> dict[str, Head]:
        return {}

    def extract(self, batch: Batch) -> Signal:
        return {}

    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        """[1, bins, frames] of zeros: a signal without arrays names no batch; one picture serves all clips."""
        import torch

        return torch.zeros(1, scale.bins, scale.frames)
