"""What stands for the true signal of videos whose sound nobody has heard: how many slots a clip has, and no values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.clipset import Clips
from bench.ragged import Ragged
from controls.base import Control
from melqcd.mel import MelScale


@dataclass(frozen=True)
class Unheard:
    """In the place of an artefact of `signals`, where every head is predicted: the scale and the step say how long a signal is."""

    scale: MelScale
    step: int  # mel frames per slot

    def slots(self, samples: int) -> int:
        """Of a clip of so many samples: as `signals` would have them."""
        return -(-(samples // self.scale.hop) // self.step)

    def signals(self, control: Control, clips: Clips) -> dict[str, Blank]:
        return {name: Blank(self, clips.waves, head.n) for name, head in control.heads().items()}

    def told(self, control: Control, clips: int) -> dict:
        """What signal.json says of the signals that are predicted instead."""
        heads = {name: [head.kind, head.size, head.n] for name, head in control.heads().items()}
        return {"heads": heads, "arrays": list(heads), "step": self.step, "clips": clips}


@dataclass(frozen=True)
class Blank(Mapping[str, np.ndarray]):
    """Zeros [slots, n] of each clip: they have a length and say nothing."""

    of: Unheard
    waves: Ragged
    n: int

    def __getitem__(self, id: str) -> np.ndarray:
        return np.zeros((self.of.slots(len(self.waves[id])), self.n), np.float32)

    def __iter__(self):
        return iter(self.waves)

    def __len__(self) -> int:
        return len(self.waves)
