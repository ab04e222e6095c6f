"""The text-to-audio model that makes the sound, as a setting: where its weights lie and how its pictures become waves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.weights import LAB, content, weights
from melqcd.mel import Auffusion as AuffusionScale
from melqcd.mel import MelScale

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from melqcd.backbone import Backbone


@dataclass(frozen=True)
class AnyBackbone:
    """A latent diffusion model in Auffusion's folder format."""

    path: str = field(
        default="", metadata={"key": False}
    )  # the folder with vae/ unet/ scheduler/ tokenizer/ text_encoder/ vocoder/
    vocoder: Literal["hifigan", "griffinlim"] = "hifigan"  # how a mel becomes a wave

    def folder(self) -> Path:
        return weights(self.path, "backbone")

    def identity(self) -> dict:
        return {"weights": content(self.folder()), "vocoder": self.vocoder}

    def scale(self) -> MelScale:
        """Of the pictures that it makes; read from the folder, no network is loaded."""
        file = self.folder() / "mel.json"
        return MelScale(**json.loads(file.read_text())) if file.exists() else AuffusionScale()

    def voice(self, device: str) -> Callable[[Tensor], Tensor]:
        """The function from pictures [B, bins, frames] in [0, 1] to waves [B, samples] in [-1, 1]."""
        from melqcd.mel import from_image
        from melqcd.vocoder import griffin_lim, load_hifigan

        scale = self.scale()
        if self.vocoder == "griffinlim":
            return lambda pictures: griffin_lim(from_image(pictures, scale), scale).clamp(-1, 1)
        net = load_hifigan(self.vocoder_folder(), scale).to(device).eval()
        return lambda pictures: net(from_image(pictures.to(device), scale)).clamp(-1, 1)

    def vocoder_folder(self) -> Path:
        return self.folder() / "vocoder"

    def load(self, device: str) -> Backbone:
        from melqcd.backbone import Backbone

        return Backbone.load(self.folder(), device=device)


@dataclass(frozen=True)
class Auffusion(AnyBackbone):
    """Auffusion (CC BY-NC-SA), from a folder on this machine."""


@dataclass(frozen=True)
class MelQCD(AnyBackbone):
    """The frozen model inside the released MelQCD.ckpt; vocoder.pt and config.json lie beside the file."""

    tokenizer: str = field(
        default="", metadata={"key": False}
    )  # folder with CLIP's vocab.json and merges.txt; "": tokenizer/ beside it
    allow_pickle: bool = field(
        default=False, metadata={"key": False}
    )  # open pickles of more than tensors; their code is never run

    def file(self) -> Path:
        found = weights(self.path, "backbone")
        names = ("MelQCD.safetensors", "MelQCD.ckpt")
        return next((found / n for n in names if (found / n).exists()), found / names[-1]) if found.is_dir() else found

    def folder(self) -> Path:
        return self.file().parent

    def identity(self) -> dict:
        parts = {"weights": self.file(), "tokenizer": self.words()}
        parts |= {p.name: p for p in self.folder().glob("vocoder.*")} | {"config": self.folder() / "config.json"}
        return {name: content(path) for name, path in parts.items()} | {"vocoder": self.vocoder}

    def words(self) -> Path:
        """The tokenizer's folder."""
        return weights(self.tokenizer, "backbone.tokenizer") if self.tokenizer else self.folder() / "tokenizer"

    def vocoder_folder(self) -> Path:
        return self.folder()

    def load(self, device: str) -> Backbone:
        from melqcd.released import load_released

        return load_released(self.file(), self.words(), device=device, allow_pickle=self.allow_pickle)


@dataclass(frozen=True)
class Lab(AnyBackbone):
    """The lab's own small model, trained on the procedural world and shipped with the package."""

    vocoder: Literal["hifigan", "griffinlim"] = "griffinlim"  # by measurement (`bench lab check`)

    def folder(self) -> Path:
        return weights(self.path, "backbone", default=LAB / "backbone")
