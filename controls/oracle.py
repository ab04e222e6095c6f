"""Oracle: the true mel as hint, the ceiling of every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from controls.base import Batch, Control

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.heads import Head
    from melqcd.mel import MelScale


@dataclass(frozen=True)
class Oracle(Control):
    """All that the control's mel knows. Nothing predicts it: it has no heads and carries the picture itself.

    mel: [B, bins * step, slots], every frame of a slot below the other, in image units.
    """

    carries: ClassVar[tuple[str, ...]] = ("mel",)

    def heads(self) -> dict[str, Head]:
        return {}

    def extract(self, batch: Batch) -> Signal:
        from torch.nn.functional import pad

        from melqcd.mel import to_image

        image = pad(to_image(batch.mel, batch.scale), (0, -batch.mel.shape[-1] % batch.step))
        return {"mel": image.unflatten(-1, (-1, batch.step)).movedim(-1, 1).flatten(1, 2)}

    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        image = signal["mel"].unflatten(1, (-1, scale.bins)).movedim(1, -1).flatten(-2)
        if image.shape[-1] < scale.frames or image.shape[-1] - scale.frames >= image.shape[-1] // signal["mel"].shape[-1]:
            raise ValueError(f"{signal['mel'].shape[-1]} slots do not fit {scale.frames} frames")
        return image[..., : scale.frames]
