"""CLIP: what each moment of the video looks like, as a hint (EgoSonics)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from controls.base import Batch, Control

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.heads import Head
    from melqcd.mel import MelScale

NORMAL = 1.4826  # standard deviations in one median absolute deviation of a normal distribution


@dataclass(frozen=True)
class CLIP(Control):
    """The image embedding of every slot's frame, laid along the column. Nothing predicts it: it comes from the video itself.

    looks: [B, d, slots], CLIP's projected embeddings as they are, not normalised.
    After EgoSonics (Rai and Sridhar, arXiv 2407.20592), which has no public code; the Mel-QCD paper's Table 2 does not say how d
    numbers become a column, so the rule is ours: no number is learnt, and a column depends on its own slot alone.
    """

    source: ClassVar[Literal["audio", "video"]] = "video"
    carries: ClassVar[tuple[str, ...]] = ("looks",)

    def heads(self) -> dict[str, Head]:
        return {}

    def extract(self, batch: Batch) -> Signal:
        """Raises ValueError where the batch has no embeddings."""
        if batch.looks is None:
            raise ValueError("clip is made of the video: the batch needs looks, the image embeddings of its slots")
        return {"looks": batch.looks.float().movedim(-1, -2)}

    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        """The first numbers on top; each column is what `column` makes of its slot's embedding."""
        from melqcd.resample import fill

        return fill(column(signal["looks"], scale.bins), scale.bins, scale.frames)


def column(looks: Tensor, bins: int) -> Tensor:
    """[B, bins, slots] in [0, 1] from embeddings [B, d, slots].

    Bin i is the mean of the numbers floor(i d / bins) ... ceil((i + 1) d / bins) - 1: neighbours share a bin where d is larger, a
    number fills several where it is smaller, none is left out. Then (bin - median) / (1.4826 * median absolute deviation) over the
    column, and of that the normal distribution function: half the bins lie above 0.5. Medians, since a few of CLIP's numbers
    may dwarf the rest. Where the deviation is 0 the difference from the median is taken as it is: zeros give 0.5 everywhere.
    """
    import torch
    from torch.nn.functional import adaptive_avg_pool1d

    clips, numbers, slots = looks.shape
    if not slots:
        return looks.new_zeros(clips, bins, 0)
    pooled = adaptive_avg_pool1d(looks.movedim(1, -1).reshape(-1, numbers), bins).unflatten(0, (clips, slots)).movedim(-1, 1)
    away = pooled - pooled.median(1, keepdim=True).values
    spread = NORMAL * away.abs().median(1, keepdim=True).values
    return torch.special.ndtr(away / torch.where(spread > 0, spread, 1.0))
