"""Frozen encoders of video, as settings: motion (what moves when) and looks (what it is)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bench.weights import LAB, content, weights

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


@dataclass(frozen=True)
class Encoder(ABC):
    """frames uint8 [T, H, W, 3] at 25 a second -> features float32 [T, d]."""

    path: str = field(default="", metadata={"key": False})  # of the weights; the lab's are found beside the package
    kind: ClassVar[str] = "encoder"
    default: ClassVar[Path | None] = None

    def folder(self) -> Path:
        return weights(self.path, self.kind, default=self.default)

    def identity(self) -> dict:
        return {"weights": content(self.folder())}

    @abstractmethod
    def load(self, device: str) -> Callable[[np.ndarray], np.ndarray]:
        """The function from frames to features."""


@dataclass(frozen=True)
class LabMotion(Encoder):
    """The lab's small Synchformer, trained on audio-visual contrast and sync alone."""

    kind: ClassVar[str] = "motion"
    default: ClassVar[Path | None] = LAB / "motion"

    def load(self, device: str) -> Callable[[np.ndarray], np.ndarray]:
        from bench.lab.networks.encoders import load_motion

        return load_motion(self.folder(), device)


@dataclass(frozen=True)
class Looks(Encoder):
    """CLIP's projected image embeddings, from a folder in Hugging Face's layout (ViT-L/14 in the paper)."""

    kind: ClassVar[str] = "looks"

    def load(self, device: str) -> Callable[[np.ndarray], np.ndarray]:
        from melqcd.visual import load_looks, looks_features

        net = load_looks(self.folder()).to(device)  # type: ignore[arg-type]
        return lambda frames: looks_features(net, frames).numpy()


@dataclass(frozen=True)
class LabLooks(Looks):
    """The lab's small CLIP, trained to tell which clip's sound belongs to a frame."""

    default: ClassVar[Path | None] = LAB / "looks"
