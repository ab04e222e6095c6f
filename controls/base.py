"""The interface of a control signal: what is predicted from video and shown to the ControlNet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields, replace
from math import ceil, inf
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from typing import Self

    from torch import Tensor

    from melqcd.heads import Head
    from melqcd.mel import MelScale

    Signal = dict[str, Tensor]  # [B, n, slots] per head, n as the head says, and per name that the control carries


Source = Literal["audio", "video"]
Use = Literal["signal", "true", "predicted"]
USES = ("signal", "true", "predicted")


@dataclass(frozen=True)
class Batch:
    """Clips side by side, padded at their ends.

    wave:    [B, samples], mono in [-1, 1] at `scale.rate`; zeros beyond a clip's end.
    samples: [B], true lengths.
    mel:     [B, bins, frames], natural-log mel at `scale`, row 0 the LOWEST band; the log floor beyond a clip's end.
    step:    mel frames per slot: 4 for 25 slots a second, 1 for the original slots.
    looks:   [B, slots, d] image embeddings of the video at the slots, or None where there are none.
    """

    wave: Tensor
    samples: Tensor
    mel: Tensor
    scale: MelScale
    step: int = 4
    looks: Tensor | None = None

    @classmethod
    def of(cls, wave: Tensor, scale: MelScale, *, samples: Tensor | None = None, step: int = 4, looks=None) -> Batch:
        """The batch of `wave` [B, samples]; `samples` [B] are the true lengths, all of it when left out."""
        import torch

        from melqcd.mel import log_mel

        if samples is None:
            samples = torch.full((len(wave),), wave.shape[-1], device=wave.device)
        return cls(wave, samples, log_mel(wave, scale, samples=samples), scale, step, looks)

    @property
    def slots(self) -> int:
        return ceil(self.mel.shape[-1] / self.step)

    @property
    def valid(self) -> Tensor:
        """[B, slots], True where the slot's first frame lies inside the clip."""
        import torch

        frames = self.samples // self.scale.hop
        return torch.arange(self.slots, device=frames.device) * self.step < frames[:, None]


@dataclass(frozen=True)
class Complexity:
    """What a signal costs, before anything is measured."""

    codes: int  # different values of a slot's discrete part; 1 where it has none
    bits: float  # log2 of `codes`
    reals: int  # real numbers in a slot


class Control(ABC):
    """A time-varying signal between video and sound.

    Subclasses are frozen dataclasses; their fields are the settings that a command line can change.
    """

    source: ClassVar[Source] = "audio"  # video: nothing to predict, truth and prediction are one
    # arrays of the signal [B, n, slots] besides those of the heads, which nobody predicts: n follows the scale or the features.
    # Kept in half precision
    carries: ClassVar[tuple[str, ...]] = ()
    # what the signal can change in a second: at more slots than these it repeats itself, and costs no more
    slots_a_second: ClassVar[float] = inf

    @abstractmethod
    def heads(self) -> dict[str, Head]:
        """What the predictor emits per slot, by name; {} where there is nothing to predict."""

    @abstractmethod
    def extract(self, batch: Batch) -> Signal:
        """The true signal of `batch`, one array [B, n, slots] per head (and per name in `carries`): also the predictor's target."""

    @abstractmethod
    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        """The hint for `signal`: [B, bins, scale.frames] in image units, 0 = the log floor, 1 = the ceiling, row 0 the HIGHEST band.

        `signal` has ceil(scale.frames / step) slots; step follows from that.
        """

    def decode(self, outputs: Signal, *, thresholds: dict[str, float] | None = None) -> Signal:
        """The signal that the predictor's outputs {head: [B, outputs, slots]} stand for."""
        known = thresholds or {}
        return {name: head.decode(outputs[name], threshold=known.get(name, 0.5)) for name, head in self.heads().items()}

    def padding(self) -> dict[str, float]:
        """One slot of what the predictor is taught beyond a clip's end where it is taught that (predictor.padding=target), by head."""
        return dict.fromkeys(self.heads(), 0.0)

    def used(self, use: Use) -> Self:
        """This control as far as `use` reads it; settings of later uses are at their defaults, so that what they leave alone is shared.

        signal: what is extracted and predicted. true: also how hints are drawn, in training too. predicted: also how predicted hints
        are drawn, which is all of it. A field names its first use by metadata={"use": "true"}; the others are the signal's.
        """
        later = USES[USES.index(use) + 1 :]
        of = [f for f in fields(self) if f.metadata.get("use") in later]  # type: ignore[arg-type]
        back = {f.name: f.default for f in of if f.default is not MISSING}
        back |= {f.name: f.default_factory() for f in of if f.default_factory is not MISSING}
        return replace(self, **back) if any(getattr(self, k) != v for k, v in back.items()) else self  # type: ignore[type-var]

    def complexity(self) -> Complexity:
        heads = self.heads().values()
        codes = 1
        for head in heads:
            codes *= {"class": head.size**head.n, "binary": 2**head.n, "scalar": 1}[head.kind]
        return Complexity(codes, sum(h.bits for h in heads), sum(h.reals for h in heads))
