"""What a predictor learns from and is measured on: windows of motion features beside the true signals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.clipset import Clips
from bench.ragged import Ragged
from bench.unheard import Unheard
from controls.base import Control

if TYPE_CHECKING:
    from torch import Tensor


class Pairs:
    """Motion features and true signals of clips, cut to windows of one length and padded to it.

    positions: features of a window, at 25 a second; a signal has `per` slots for each of them (1, or 4 at the original slots).
    padded: what lies beyond a clip's end is as valid as the clip, and the signal there is the control's padding.
    """

    def __init__(
        self, control: Control, truth: Path | Unheard, motion: Path, positions: int, known: Clips, *, padded: bool = False
    ):
        self.padding = control.padding() if padded else None
        self.heads, self.positions = control.heads(), positions
        if isinstance(truth, Unheard):
            self.signals, self.told = truth.signals(control, known), truth.told(control, len(known.rows))
        else:
            self.signals = {name: Ragged(truth, name) for name in self.heads}
            self.told = json.loads((truth / "signal.json").read_text())
        self.features = Ragged(motion, "motion")
        self.per = max(1, 4 // self.told["step"])

    def usable(self, ids: Sequence[str]) -> list[str]:
        return [i for i in ids if i in self.features]

    def of(self, ids: Sequence[str], firsts: Sequence[int] | None = None) -> dict[str, Tensor]:
        """{"features" [B, positions, d], "valid" [B, slots], head: [B, n, slots]} from feature `firsts` on."""
        import torch

        firsts = firsts if firsts is not None else [0] * len(ids)
        slots = self.positions * self.per
        found: dict[str, Tensor] = {
            "features": torch.zeros(len(ids), self.positions, self.features.rows.shape[-1]),
            "valid": torch.zeros(len(ids), slots, dtype=torch.bool),
        }
        for name, head in self.heads.items():
            kind = torch.long if head.kind == "class" else torch.float32
            beyond = 0.0 if self.padding is None else self.padding[name]
            found[name] = torch.full((len(ids), head.n, slots), beyond, dtype=kind)
        for row, (id, first) in enumerate(zip(ids, firsts, strict=True)):
            seen = np.array(self.features[id][first : first + self.positions], np.float32)
            found["features"][row, : len(seen)] = torch.from_numpy(seen)
            for name in self.heads:
                part = np.array(self.signals[name][id][first * self.per : first * self.per + slots])
                found[name][row, :, : len(part)] = torch.from_numpy(part).T
                found["valid"][row, : len(part) if self.padding is None else slots] = True
        return found

    def length(self, id: str) -> int:
        return len(self.features[id])
