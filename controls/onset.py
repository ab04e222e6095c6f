"""Onset: a binary mask of where sounds begin (FoleyCrafter)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controls.base import Batch, Control
from melqcd.heads import Head

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.mel import MelScale


@dataclass(frozen=True)
class Onset(Control):
    """White where a sound begins, black elsewhere, the same on every bin.

    onset: [B, 1, slots], 1 in the slot that an onset falls into. The detector is the one of Onset ACC (melqcd/onset.py).
    After FoleyCrafter, github.com/open-mmlab/FoleyCrafter at c2399fa: inference.py (150 values of a 10 s clip, sigmoid at 0.5,
    -1 and 1 repeated over 256 bins and stretched to 1024 columns). Its training is not released; its detector is a copy of
    CondFoleyGen's (github.com/XYPB/CondFoleyGen at 88b7367, specvqgan/onset_baseline/data/greatesthit.py), whose labels are
    librosa's onsets with delta 0.3 rounded to frames at 15 a second: so are ours.
    Where ours differs: 25 slots a second instead of 15 frames; an onset lights the slot that contains it, not the nearest frame;
    predictions are white at or above the threshold with the best F1 on val instead of 0.5; black and white are 0 and 1 in image
    units instead of -1 and 1; the sound is resampled to 22.05 kHz from the harness's rate, where theirs is analysed at the file's own.
    """

    delta: float = 0.3  # of the detector, 0 ... 1: the share of the loudest rise by which an onset exceeds its surroundings

    def __post_init__(self):
        if not 0 <= self.delta < 1:
            raise ValueError(f"delta must be at least 0 and below 1, got {self.delta}")

    def heads(self) -> dict[str, Head]:
        return {"onset": Head("binary")}

    def extract(self, batch: Batch) -> Signal:
        import torch

        from melqcd.onset import HOP, RATE, onset_strength, pick, resampled

        wave, samples = resampled(batch.wave, batch.scale.rate, batch.samples)
        found = pick(onset_strength(wave, samples), self.delta, frames=1 + samples // HOP)
        seconds = torch.arange(found.shape[-1], device=found.device, dtype=torch.float64) * HOP / RATE
        at = (seconds * batch.scale.rate / (batch.scale.hop * batch.step)).long()
        last = (batch.valid.sum(-1, keepdim=True) - 1).clamp(min=0)  # an onset may sit on the very end of a clip
        mask = batch.mel.new_zeros(len(found), batch.slots)
        if batch.slots:
            mask.scatter_reduce_(-1, torch.minimum(at.expand_as(found), last), found.to(mask.dtype), "amax")
        return {"onset": mask[:, None]}

    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        from melqcd.resample import fill

        return fill(signal["onset"].clamp(0, 1), scale.bins, scale.frames)
