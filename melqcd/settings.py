"""How networks are sized and trained: what a command line can change. Imports no torch, so that plans are made without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, pi
from typing import TYPE_CHECKING, Literal

from melqcd.contents import Weights

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers.models.controlnets.controlnet import ControlNetModel
    from torch import Tensor

    from melqcd.backbone import Backbone
    from melqcd.inversion import InversionAdapter


@dataclass(frozen=True)
class Training:
    """How a network is trained; every field can change its weights and is part of a key."""

    steps: int = 600  # optimiser steps
    batch: int = 16  # clips per step over all processes
    lr: float = 1e-3  # peak learning rate of AdamW
    warmup: float = 0.05  # share of the steps in which the rate rises linearly from 0
    decay: str = "cosine"  # after that: cosine or linear to 0, or none
    weight_decay: float = 0.01  # AdamW's, on every weight; the released CodePredictor's value
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0  # largest norm of a step's gradient; 0: as it comes
    ema: float = 0.0  # decay of the weights' running average, which replaces them at the end; 0: none
    precision: str = "fp32"  # of the forward pass: fp32 or bf16 (weights and optimiser stay fp32)
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "betas", tuple(self.betas))  # settings come from lists
        if self.steps < 1 or self.batch < 1:
            raise ValueError(f"training needs steps >= 1 and batch >= 1, got steps={self.steps}, batch={self.batch}")
        if not self.lr > 0 or not 0 <= self.warmup <= 1:
            raise ValueError(f"training needs lr > 0 and warmup in [0, 1], got lr={self.lr}, warmup={self.warmup}")
        if self.decay not in ("cosine", "linear", "none"):
            raise ValueError(f"decay is cosine, linear or none, got {self.decay!r}")
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision is fp32 or bf16, got {self.precision!r}")
        if not 0 <= self.ema < 1 or self.clip < 0:
            raise ValueError(f"training needs ema in [0, 1) and clip >= 0, got ema={self.ema}, clip={self.clip}")

    def rate(self, step: int) -> float:
        """The learning rate of `step`, counted from 0."""
        warm = self.warmup * self.steps
        if step < warm:
            return self.lr * (step + 1) / (warm + 1)
        gone = (step - warm) / max(1.0, self.steps - warm)
        return self.lr * {"cosine": 0.5 + 0.5 * cos(pi * gone), "linear": 1 - gone, "none": 1.0}[self.decay]


def _place(how: V2X | ControlNet) -> None:
    """Let a path be known by what lies there."""
    if how.path:
        object.__setattr__(how, "path", Weights(how.path))
        if not Weights(how.path).place().exists():
            raise ValueError(f"path: there are no weights at {how.path}")


@dataclass(frozen=True)
class V2X:
    """The predictor of control signals from video features: its size, its losses and its training.

    The defaults suit the lab (64 slots, two cores). The released CodePredictor is width=512, depth=6, heads=8, bias=256, rate=100,
    trained with batch=32 a GPU, lr=1.25e-5 (1e-4 x 32 / 256), warmup=0.1, decay=linear, clip=1 and 100 passes over the clips.
    """

    width: int = 128  # numbers per position inside the transformer, a multiple of `heads`
    depth: int = 3  # blocks
    heads: int = 4  # of attention
    bias: int = 64  # width of the network that turns a distance in time into each head's attention bias
    dropout: float = 0.1  # after attention, inside and after the feed-forward; the released value
    rate: int = 25  # positions a second inside the transformer; 100 upsamples the features first, as released
    gamma: float = 2.0  # focal loss of classes: (1 - p) ** gamma, the released value; 0 is cross-entropy
    binary: str = "weighted"  # yes/no heads: weighted by the training split's no/yes ratio, or focal with the same gamma
    # trained weights to take instead of training, of this width, depth, ...: the released CodePredictor.ckpt. "": trained here
    path: str = field(default="", metadata={"added": ""})
    allow_pickle: bool = field(
        default=False, metadata={"key": False}
    )  # open a pickle of more than tensors; its code is never run
    # share of a clip's slots, from its beginning, that the loss sees. 0.25 as released, whose mask [:effect_length] counts features at
    # 25 Hz on a sequence at 100 Hz: of 10 s only the first 2.5 are taught and scored (specification of checkpoints, 10)
    supervised: float = field(default=1.0, metadata={"added": 1.0})
    # what lies beyond a clip's end: ignored by attention and loss, or a target, as released, whose effect_length is always 250: the
    # predictor sees black frames there and is taught what its control makes of padding (specification of checkpoints, 10)
    padding: Literal["ignored", "target"] = field(default="ignored", metadata={"added": "ignored"})
    training: Training = Training(steps=600, batch=32, lr=1e-3, warmup=0.1, decay="linear")

    def __post_init__(self):
        _place(self)
        if self.width % self.heads or min(self.width, self.depth, self.heads, self.bias) < 1:
            raise ValueError(f"width must be a positive multiple of heads={self.heads}, and depth and bias positive, got {self}")
        if self.rate < 25 or self.rate % 25:
            raise ValueError(f"rate must be a multiple of 25 positions a second, got {self.rate}; 25 or 100")
        if self.binary not in ("weighted", "focal"):
            raise ValueError(f"binary is weighted or focal, got {self.binary!r}")
        if not 0 < self.supervised <= 1 or self.padding not in ("ignored", "target"):
            raise ValueError(
                f"supervised is a share in (0, 1] and padding ignored or target, got {self.supervised} and {self.padding!r}"
            )
        if not 0 <= self.dropout < 1 or self.gamma < 0:
            raise ValueError(f"dropout must lie in [0, 1) and gamma be at least 0, got {self.dropout} and {self.gamma}")


@dataclass(frozen=True)
class ControlNet:
    """How the hint enters, and what is shown in training.

    The defaults suit the lab. The released hint stack has widths=[16,32,64,128,256] before the UNet's first width of 320.
    """

    hint: Literal["features", "pixels"] = "features"  # VAE-encoder features (released code), or diffusers' pixel embedding
    widths: tuple[int, ...] = (16, 32, 64)  # channels of the layers that read the hint, up to about the UNet's first width
    training: Training = Training(steps=1200, batch=16, lr=2e-3)  # the lab's; the paper names none
    dropout: float = 0.1  # share of prompts replaced by "" in training, so that guidance has something to lead away from
    # what is shown in training; predicted: signals predicted by networks that did not learn from the clip, as when sound is made from
    # predicted hints; it costs five more predictors
    hints: Literal["true", "predicted"] = field(default="true", metadata={"added": "true"})
    # trained weights to take instead of training: MelQCD.ckpt, or a folder as diffusers writes it. "": trained here
    path: str = field(default="", metadata={"added": ""})
    allow_pickle: bool = field(
        default=False, metadata={"key": False}
    )  # open a pickle of more than tensors; its code is never run

    def __post_init__(self):
        if self.hints == "predicted" and self.path:
            raise ValueError(f"hints=predicted is about training, and {self.path} is trained: leave one of the two")
        _place(self)
        object.__setattr__(self, "widths", tuple(self.widths))
        if self.hint not in ("features", "pixels"):
            raise ValueError(f"hint is features or pixels, got {self.hint!r}")
        if self.hints not in ("true", "predicted"):
            raise ValueError(f"hints is true or predicted, got {self.hints!r}")
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths needs at least one layer of 1 channel or more, got {self.widths}")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout is a share between 0 and 1, got {self.dropout}")

    def build(self, backbone: Backbone) -> ControlNetModel:
        """A ControlNet that begins as a copy of the UNet's encoder and, behind zero convolutions, changes nothing yet."""
        from melqcd.controlnet import build

        return build(self, backbone)

    def load(self, path: Path | str, backbone: Backbone) -> ControlNetModel:
        """What `save_pretrained` wrote at `path`. Raises ValueError where it is damaged or of other settings."""
        from melqcd.controlnet import load

        return load(self, path, backbone)

    def show(self, hint: Tensor, backbone: Backbone) -> Tensor:
        """What the network is given of hints [B, bins, frames] in [0, 1]: constant over the steps of sampling, so made once."""
        from melqcd.controlnet import show

        return show(self, hint, backbone)


@dataclass(frozen=True)
class Inversion:
    """What the prompt says besides its words."""


@dataclass(frozen=True)
class NoInversion(Inversion):
    """Nothing: the prompt alone."""


@dataclass(frozen=True)
class Adapter(Inversion):
    """Textual inversion: the video's mean CLIP embedding as pseudo-words behind the prompt (paper, 4.4), trained by itself.

    Only the adapter learns; the text encoder stays the backbone's (the release carries a second copy of it).
    """

    tokens: int = 32  # n: pseudo-words, 1 ... 64; Table 7 finds 32 best. All of a prompt is 77 tokens: 32 leave it 42
    dropout: float = 0.5  # inside the adapter, in training, and where it is `live`; the released value
    # dropout stays on when it generates, so that every step of the sampler reads pseudo-words of its own. true as released, where
    # model.eval() is commented out (specification of checkpoints, 2); ours are drawn of sampling.seed, clip and step
    live: bool = field(default=False, metadata={"added": False})
    training: Training = Training(steps=900, batch=16, lr=1e-3)  # the lab's, as its ControlNets; the paper names none

    def __post_init__(self):
        if not 1 <= self.tokens <= 64:
            raise ValueError(f"tokens (n) must lie between 1 and 64, got {self.tokens}: a prompt has 77 tokens in all")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout}")

    def build(self, looks: int, backbone: Backbone) -> InversionAdapter:
        """A new adapter for embeddings of width `looks`."""
        from melqcd.inversion import build

        return build(self, looks, backbone)

    def load(self, path: Path | str, backbone: Backbone) -> InversionAdapter:
        """What the training wrote at `path`, in evaluation mode. Raises ValueError where it is damaged or of other settings."""
        from melqcd.inversion import load

        return load(self, path, backbone)
