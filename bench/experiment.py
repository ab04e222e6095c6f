"""What a run is made of: `Experiment` is everything that can change a number, `Machine` is where and how fast it is made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Literal

from bench.backbones import AnyBackbone
from bench.context import Context
from bench.data.base import Data
from bench.data.same import Same
from bench.encoders import Encoder, LabLooks
from bench.judges.base import Judge
from bench.prompts import Prompt
from controls.base import Control
from controls.fit import names_fit
from melqcd.mel import MelScale
from melqcd.sampling import Sampler
from melqcd.settings import V2X, Adapter, ControlNet, Inversion, NoInversion

LAB_NETWORKS = "the lab's own small networks, which know the procedural world alone, stand for"


@dataclass(frozen=True)
class Experiment:
    """The identity of a run. Components (control, data, backbone, ...) have their own settings: `control.bound=2`."""

    control: Control
    data: Data
    learn: Data  # what predictor and ControlNet learn from; `same`: the train split of `data`
    scale: MelScale  # of the control's mel; the backbone has its own
    motion: Encoder
    backbone: AnyBackbone
    sampling: Sampler
    judges: tuple[Judge, ...]
    # of the video; `chain` and records name it where control or prompt are made of the video: it is no part of others' identity
    looks: Encoder = field(default=LabLooks(), metadata={"key": False})
    predictor: V2X = V2X()
    controlnet: ControlNet = ControlNet()
    slots: Literal["video", "original"] = "video"  # video: 25 a second; original: one per mel frame (the paper's true columns)
    predicted: Literal["all", "none"] | tuple[str, ...] = (
        "all"  # heads taken from the video; none: true hints; [code] those named
    )
    # label: the class's name (the paper's protocol); generic: the same words for all; zeroshot: the class whose name CLIP puts
    # nearest to the video, by networks that were taught with labels
    prompt: Prompt = "label"
    split: Literal["test", "val"] = "test"  # what is generated and scored; tuning sees val
    inversion: Inversion = field(default=NoInversion(), metadata={"added": NoInversion()})  # pseudo-words behind the prompt

    def __post_init__(self):
        fits, detail = names_fit(self.control)
        if not fits:
            raise ValueError(f"control: {detail}")
        if isinstance(self.predicted, tuple):
            unknown = [name for name in self.predicted if name not in self.control.heads()]
            if unknown:
                known = ", ".join(self.control.heads()) or "none"
                raise ValueError(f"predicted: this control has no head {unknown[0]!r}; its heads are {known}")
        if self.controlnet.hints == "predicted":
            if self.predictor.path:
                raise ValueError("controlnet.hints=predicted teaches predictors of its own: leave predictor.path")
            if not self.control.heads():  # nothing to predict: its true hints are all it has
                object.__setattr__(self, "controlnet", replace(self.controlnet, hints="true"))

    @property
    def step(self) -> int:
        """Mel frames per slot."""
        return {"video": max(1, round(self.scale.rate / self.scale.hop / 25)), "original": 1}[self.slots]

    @property
    def positions(self) -> int:
        """Video features in one window of the predictor: as long as the control's picture."""
        return self.scale.frames // 4

    @property
    def taught(self) -> Data:
        """Whose train split the predictor and the ControlNet learn from."""
        return self.data if isinstance(self.learn, Same) else self.learn

    @property
    def controls(self) -> bool:
        """False for `none`, which shows the backbone nothing."""
        return bool(self.control.heads() or self.control.carries)

    @property
    def watches(self) -> bool:
        """True for a control that is made of the video's looks."""
        return self.control.source == "video"

    @property
    def looked_at(self) -> bool:
        """True where the video's looks decide what is made: as hint, as pseudo-words or as prompt."""
        return self.watches or self.adapter is not None or self.prompt == "zeroshot"

    @property
    def taught_with(self) -> Prompt:
        """The prompt that the networks learn with."""
        return "label" if self.prompt == "zeroshot" else self.prompt

    @property
    def adapter(self) -> Adapter | None:
        """What makes pseudo-words of the video's looks; None where the prompt stands alone."""
        return self.inversion if isinstance(self.inversion, Adapter) else None

    @property
    def lab_networks(self) -> list[str]:
        """The settings for which the lab's own small networks stand; these know the procedural world alone."""
        used = {"backbone": self.backbone, "looks": self.looks if self.looked_at else None}
        used |= {"motion": self.motion if self.heads else None, **{f"judges.{j.name}": j for j in self.judges}}
        found = [name for name, one in used.items() if type(one).__name__.startswith("Lab") and not getattr(one, "path", "")]
        codec = type(self.control).__name__ == "EnCodec" and not getattr(self.control, "path", "")
        return found + ["control.path (the codec)"] * codec

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that are predicted from the video; () where the hints are true."""
        if self.predicted == "none":
            return ()
        return tuple(self.control.heads()) if self.predicted == "all" else tuple(self.predicted)


@dataclass(frozen=True)
class Machine:
    """Where and how fast; never part of an identity."""

    results: str = "results"  # records, and the artefacts under cache/
    device: str = "auto"  # auto: cuda where there is one
    workers: int = 0  # processes for decoding and rendering; 0: the allotted cores
    threads: int = 0  # torch threads; 0: the allotted cores
    save: float = 0.0  # seconds between checkpoints of a training (never more than a twentieth of its time); 0: 60
    quiet: bool = False  # no progress
    compile: Literal["on", "off"] = "off"  # torch.compile UNet and ControlNet: minutes at first, then faster; equal to rounding
    # most processes that decode, encode or extract the clips of one data set, as jobs of their own where a sweep has jobs
    shards: int = 1
    shipped: Literal["on", "off"] = "on"  # use the lab's trained artefacts that come with the package; off: train everything here

    def __post_init__(self):
        for name in ("workers", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 (the allotted cores) or more, got {getattr(self, name)}")
        if self.shards < 1:
            raise ValueError(f"shards must be 1 or more, got {self.shards}")
        if self.save < 0:
            raise ValueError(f"save must be 0 or more seconds, got {self.save}")

    @property
    def sends(self) -> bool:
        """True where a sweep is given to jobs in processes of their own."""
        return False

    def context(self) -> Context:
        from bench.context import allotted_cores, ranks

        device = self.device
        if device == "auto":
            import importlib.util

            # asking torch for a GPU costs its import: only where a driver is visible
            from pathlib import Path

            cuda = Path("/proc/driver/nvidia").exists() and importlib.util.find_spec("torch") is not None
            device = "cuda" if cuda and __import__("torch").cuda.is_available() else "cpu"
        if device == "cuda" and ranks()[1] > 1:
            device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"  # each process of a torchrun has its own
        return Context(
            device=device,
            workers=self.workers or allotted_cores(),
            threads=self.threads,
            quiet=self.quiet,
            save_s=self.save,
            compile=self.compile == "on",
        )


@dataclass(frozen=True)
class Here(Machine):
    """This process."""
