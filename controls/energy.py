"""Energy: how loud every slot is, smoothed (ReWaS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controls.base import Batch, Control
from controls.checks import check_fit
from melqcd.heads import Head

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.mel import MelScale


@dataclass(frozen=True)
class Energy(Control):
    """The mean of the log mel over frequency, Savitzky-Golay smoothed over time, shown on every bin.

    energy: [B, 1, slots] in image units.
    After ReWaS, github.com/naver-ai/rewas at 781b3df: audioldm/utilities/data/dataset.py (train_mode "energy") and
    audioldm/pipeline.py (the same smoothing on predictions); audioldm/rewas.py repeats the curve over the bins of the mel.
    Where ours differs: 25 slots a second instead of 21.875 (512 frames to 112); the first frame of a slot, where theirs is the
    nearest to 112 even steps; smoothing ends with the clip instead of running into its padding; this harness's mel (256 bins,
    peak 0.95) instead of AudioLDM's (64 bins, mean removed, peak 0.5); truth and target are smoothed once, predictions not again.
    """

    # slots in a fit, odd; 1: no smoothing. ReWaS: 9 of 46 ms, here 9 of 40 ms; at 100 slots a second (slots=original) 37 span that time
    window: int = 9
    order: int = 2  # of the polynomial, below `window`; ReWaS: 2

    def __post_init__(self):
        check_fit(self.window, self.order)

    def heads(self) -> dict[str, Head]:
        return {"energy": Head("scalar")}

    def extract(self, batch: Batch) -> Signal:
        from melqcd.mel import to_image
        from melqcd.resample import smooth

        image = to_image(batch.mel[..., :: batch.step], batch.scale)
        slots = batch.valid.sum(-1)
        return {"energy": smooth(image.mean(-2, keepdim=True), self.window, self.order, slots)}

    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        """The energy on every bin, clamped to the picture's range (a fit may overshoot)."""
        from melqcd.resample import fill

        return fill(signal["energy"].clamp(0, 1), scale.bins, scale.frames)
