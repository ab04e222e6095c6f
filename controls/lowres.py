"""Low-resolution mel: a few bands, as they are (TiVA's audio layout)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from controls.base import Batch, Control
from controls.checks import check_choice, check_fit
from melqcd.heads import Head

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.mel import MelScale

Temporal = Literal["downsample", "mean", "smooth"]


@dataclass(frozen=True)
class LowRes(Control):
    """The mel picture with few bands and slots, every band a real number.

    mel: [B, bands, slots] in image units, highest band first.
    After the words of TiVA (ACM MM 2024) and of the Mel-QCD paper's Table 2: no code is public and neither gives the size of the
    layout. Ours has the bands, slots and reductions of `melqcd`, so that the two differ in the decomposition alone.
    """

    bands: int = 8  # mel bands kept; must divide the scale's bins
    temporal: Temporal = "downsample"  # frames of a slot: the first, their mean, the first after smoothing
    window: int = 9  # frames in a Savitzky-Golay fit, odd; for smooth
    order: int = 2  # of that fit's polynomial, below `window`

    def __post_init__(self):
        if self.bands < 1:
            raise ValueError(f"bands must be positive, got {self.bands}")
        check_choice("temporal", self.temporal, get_args(Temporal))
        check_fit(self.window, self.order)

    def heads(self) -> dict[str, Head]:
        return {"mel": Head("scalar", n=self.bands)}

    def extract(self, batch: Batch) -> Signal:
        from melqcd.mel import to_image
        from melqcd.resample import band_means, to_slots

        frames = batch.samples // batch.scale.hop
        fit = {"temporal": self.temporal, "window": self.window, "order": self.order}
        return {"mel": to_image(to_slots(band_means(batch.mel, self.bands), batch.step, frames, **fit), batch.scale)}

    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        """Every band on its bins, clamped to the picture's range."""
        from melqcd.resample import fill

        return fill(signal["mel"].clamp(0, 1), scale.bins, scale.frames)
