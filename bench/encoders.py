"""Frozen encoders of video, as settings: motion (what moves when) and looks (what it is)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from bench.errors import Refused
from bench.weights import LAB, content, weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np


class Eyes(NamedTuple):
    """An encoder that is loaded: `features` of frames, and the side of the square that it sees of each (melqcd.pictures.squared)."""

    features: Callable[[np.ndarray], np.ndarray]
    side: int

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        return self.features(frames)


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
    def load(self, device: str) -> Eyes:
        """The function from frames to features, of any size: what is larger or not square is made so first."""

    def names_folder(self) -> Path:
        """Where the half lies that reads names. Refused for an encoder that has none."""
        raise Refused(f"{self.kind}={type(self).__name__} does not read: prompt=zeroshot needs a CLIP, looks=clip or looks=lab")


@dataclass(frozen=True)
class LabMotion(Encoder):
    """The lab's small Synchformer, trained on audio-visual contrast and sync alone."""

    kind: ClassVar[str] = "motion"
    default: ClassVar[Path | None] = LAB / "motion"

    def load(self, device: str) -> Eyes:
        from bench.lab.networks.encoders import load_motion

        return Eyes(*load_motion(self.folder(), device))


@dataclass(frozen=True)
class Motion(Encoder):
    """Synchformer's visual encoder at its full size: Mel-QCD's SyncFormer.pt, MMAudio's synchformer_state_dict.pth, or our own folder."""

    stride: int = 1  # frames from one window of sixteen to the next; those between are interpolated. 1 is the released way
    each: Literal["window", "step"] = (
        "window"  # window: the mean of a window's eight moments, released; step: a quarter of the work
    )
    black_to: int = 0  # black frames are appended up to this number before encoding; released: 256
    # what is seen in them: cut, the features end with the video; kept, as released, where a predictor looks beyond the clip's end
    black: Literal["cut", "kept"] = "cut"
    allow_pickle: bool = field(
        default=False, metadata={"key": False}
    )  # open pickles of more than tensors; their code is never run

    kind: ClassVar[str] = "motion"

    def identity(self) -> dict:
        return (
            super().identity()
            | {"stride": self.stride, "each": self.each, "black_to": self.black_to}
            | ({"black": self.black} if self.black != "cut" else {})
        )

    def load(self, device: str) -> Eyes:
        from melqcd.synchformer import load_synchformer
        from melqcd.visual import motion_features

        net = load_synchformer(self.folder(), allow_pickle=self.allow_pickle).to(device)
        how: dict = {"stride": self.stride, "each": self.each, "padded_to": self.black_to, "whole": self.black == "kept"}
        return Eyes(lambda frames: motion_features(net, frames, **how).numpy(), net.size.image)


@dataclass(frozen=True)
class Looks(Encoder):
    """CLIP's projected image embeddings, from a folder in Hugging Face's layout (ViT-L/14 in the paper)."""

    kind: ClassVar[str] = "looks"

    def load(self, device: str) -> Eyes:
        from melqcd.visual import load_looks, looks_features

        net = load_looks(self.folder()).to(device)  # type: ignore[arg-type]
        return Eyes(lambda frames: looks_features(net, frames).numpy(), int(net.config.image_size))  # type: ignore[arg-type]

    def names_folder(self) -> Path:
        return self.folder()


@dataclass(frozen=True)
class LabLooks(Looks):
    """The lab's small CLIP, trained to tell which clip's sound belongs to a frame."""

    default: ClassVar[Path | None] = LAB / "looks"

    def names_folder(self) -> Path:
        return self.folder() if self.path else weights("", self.kind, default=LAB / "names")


@dataclass(frozen=True)
class Names:
    """The half of an encoder of looks that reads: texts in the space of its pictures (CLIP)."""

    looks: Encoder

    def identity(self) -> dict:
        return {"weights": content(self.looks.names_folder())}

    def load(self, device: str) -> Callable[[Sequence[str]], np.ndarray]:
        """The function from texts to float32 [texts, d]."""
        from melqcd.visual import load_names, names_features

        net, tokenizer = load_names(self.looks.names_folder())
        net.to(device)  # type: ignore[arg-type]
        return lambda texts: names_features(net, tokenizer, texts).numpy()
