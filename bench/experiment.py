"""What a run is made of: `Experiment` is everything that can change a number, `Machine` is where and how fast it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from melqcd.mel import MelScale

from bench.context import Context
from bench.data.base import Data
from bench.judges.base import Judge
from controls.base import Control


@dataclass(frozen=True)
class Experiment:
    """The identity of a run. Components (control, data, scale, judges) have their own settings: `control.bound=2`."""

    control: Control
    data: Data
    scale: MelScale  # of the control's mel; the backbone has its own
    judges: tuple[Judge, ...]
    slots: Literal["video", "original"] = "video"  # video: 25 a second; original: one per mel frame (the paper's true columns)

    @property
    def step(self) -> int:
        """Mel frames per slot."""
        return {"video": max(1, round(self.scale.rate / self.scale.hop / 25)), "original": 1}[self.slots]


@dataclass(frozen=True)
class Machine:
    """Where and how fast; never part of an identity."""

    results: str = "results"  # records, and the artefacts under cache/
    device: str = "auto"  # auto: cuda where there is one
    workers: int = 0  # processes for decoding and rendering; 0: the allotted cores
    threads: int = 0  # torch threads; 0: the allotted cores
    quiet: bool = False  # no progress

    def __post_init__(self):
        for name in ("workers", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 (the allotted cores) or more, got {getattr(self, name)}")

    def context(self) -> Context:
        from bench.context import allotted_cores

        device = self.device
        if device == "auto":
            import importlib.util

            # asking torch for a GPU costs its import: only where a driver is visible
            from pathlib import Path

            cuda = Path("/proc/driver/nvidia").exists() and importlib.util.find_spec("torch") is not None
            device = "cuda" if cuda and __import__("torch").cuda.is_available() else "cpu"
        return Context(device=device, workers=self.workers or allotted_cores(), threads=self.threads, quiet=self.quiet)


@dataclass(frozen=True)
class Here(Machine):
    """This process."""
