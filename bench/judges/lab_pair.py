"""The lab's judge of what belongs together: ImageBind's towers in small, from waves and videos to unit vectors."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from bench.judges.towers import Towers

FPS = 25  # of the video that `gap` counts in


@dataclass(frozen=True)
class PairSize:
    """The shape of both towers and how a clip is cut for them; config.json beside the weights holds it."""

    size: int  # pixels, both ways
    patch: int  # pixels of a patch's side, a divisor of `size`
    bands: int  # of Kaldi's filter bank
    frames: int  # 10 ms each
    span: int  # bands and frames of a token of sound, a divisor of both
    width: int
    blocks: int
    heads: int
    dims: int  # of the embeddings
    moments: int  # of the video, seen together; an even number
    gap: int  # frames from one of them to the next
    views: int  # such sequences, spread over the clip, whose embeddings are averaged

    def __post_init__(self):
        if min(asdict(self).values()) < 1:
            raise ValueError(f"every size of a pair is at least 1, got {self}")
        if self.size % self.patch or self.bands % self.span or self.frames % self.span or self.width % self.heads:
            raise ValueError(f"patch must divide size, span bands and frames, and heads width, got {self}")
        if self.moments % 2:
            raise ValueError(f"a patch covers two moments: an even number of them is seen together, not {self.moments}")

    @property
    def offsets(self) -> NDArray:
        """int [moments]: frames from the first moment of a sequence to each."""
        return self.gap * np.arange(self.moments)

    def build(self) -> Towers:
        """Towers of this shape, with weights of chance."""
        from bench.judges.towers import Ears, Eyes, Towers

        eyes = Eyes(self.width, self.blocks, self.heads, self.size, self.patch, self.moments)
        return Towers(eyes, Ears(self.width, self.blocks, self.heads, self.bands, self.frames, self.span, self.span), self.dims)


def save_pair(net: Towers, size: PairSize, folder: Path) -> None:
    """Write `net` as `load_pair` reads it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(asdict(size), indent=1) + "\n")


def load_pair(folder: Path) -> tuple[Towers, PairSize]:
    """The pair in `folder`, in eval mode and float32. Raises FileNotFoundError or ValueError naming the file at fault."""
    from melqcd.checkpoints import load_weights, read_weights

    config, weights = folder / "config.json", folder / "model.safetensors"
    if not config.exists():
        raise FileNotFoundError(f"{folder} holds no pair of towers: config.json and model.safetensors are needed")
    told = json.loads(config.read_text())
    lacking = [f.name for f in fields(PairSize) if f.name not in told]
    if lacking:
        raise ValueError(f"{config} does not describe a pair of towers: it lacks {', '.join(lacking)}")
    size = PairSize(**{f.name: told[f.name] for f in fields(PairSize)})
    net = size.build()
    load_weights(net, read_weights(weights), f"{weights} (built as {config.name} says)")
    return net.eval(), size


def gazes(pictures: Tensor) -> Tensor:
    """What the towers are shown: RGB in 0 ... 1, [..., 3, frames, h, w], each colour less CLIP's mean over its deviation."""
    import torch

    from melqcd.visual import CLIP_MEAN, CLIP_STD

    mean, deviation = (torch.tensor(v)[:, None, None, None].to(pictures.device) for v in (CLIP_MEAN, CLIP_STD))
    return (pictures - mean) / deviation


def watch(net: Towers, size: PairSize, video: Path) -> Tensor:
    """[dims]: the mean over `size.views` sequences of the file `video`; a mean of unit vectors, so no longer than 1."""
    from bench.media import frame_times, frames
    from melqcd.visual import square

    stamps = frame_times(video)
    at = moments(size, float(stamps[-1]) if len(stamps) else 0.0).ravel()
    order = np.argsort(at, kind="stable")
    shown = np.empty(len(at), int)
    shown[order] = np.arange(len(at))
    pixels = square(frames(video, at[order])[shown], size.size)
    pictures = pixels.float().div(255).unflatten(0, (-1, size.moments)).transpose(1, 2)
    return net.look(gazes(pictures).to(next(net.parameters()).device)).mean(0)


def moments(size: PairSize, seconds: float) -> NDArray:
    """float64 [views, moments]: seconds of the moments of each sequence of a video whose last frame is shown at `seconds`.

    A video shorter than a sequence is seen from its first to its last frame, its moments closer together.
    """
    apart = min(size.gap / FPS, seconds / (size.moments - 1))
    first = np.linspace(0, max(0.0, seconds - apart * (size.moments - 1)), size.views)
    return first[:, None] + apart * np.arange(size.moments)
