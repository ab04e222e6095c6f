"""The lab's judge of what belongs together, and when: waves and videos to vectors of one space, ImageBind-style, in small."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.judges.kaldi_mel import HOP, RATE, WINDOW

if TYPE_CHECKING:
    from torch import Tensor

    from bench.judges.pair_net import Pair, Told

FPS = 25  # slots a second
STEP = RATE // FPS // HOP  # frames of the filter bank in a slot


@dataclass(frozen=True)
class PairSize:
    """The shape of both networks, and of the embeddings made of what they tell; config.json beside the weights holds it."""

    size: int  # pixels, both ways
    bands: int  # of Kaldi's filter bank
    width: int  # of the layers over time
    what: int  # dimensions that tell what is heard or seen, over a clip as a whole
    when: int  # dimensions that tell of each slot what changes
    slots: int  # of 40 ms, after which a longer clip is laid over its beginning; a multiple of `grain`
    grain: int  # slots whose `when` are averaged: one alone forgives no 40 ms
    share: float  # of a cosine that tells when; the rest tells what

    def __post_init__(self):
        if min(self.size, self.bands, self.width, self.what, self.when, self.slots, self.grain) < 1 or not 0 <= self.share <= 1:
            raise ValueError(f"every size of a pair is at least 1 and its share 0 to 1, got {self}")
        if self.slots % self.grain:
            raise ValueError(f"grain must divide slots, got {self}")

    @property
    def dims(self) -> int:
        """Of an embedding."""
        return self.what + self.slots // self.grain * self.when

    def build(self) -> Pair:
        """Networks of this shape, with weights of chance."""
        from bench.judges.pair_net import Pair

        return Pair(self.size, self.bands, self.width, self.what, self.when)


def save_pair(net: Pair, size: PairSize, folder: Path) -> None:
    """Write `net` as `load_pair` reads it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(asdict(size), indent=1) + "\n")


def shape_of(folder: Path) -> PairSize:
    """The shape that `folder` says its pair has. Raises FileNotFoundError or ValueError naming the file at fault."""
    config = folder / "config.json"
    if not config.exists():
        raise FileNotFoundError(f"{folder} holds no pair: config.json and model.safetensors are needed")
    told = json.loads(config.read_text())
    lacking = [f.name for f in fields(PairSize) if f.name not in told]
    if lacking:
        raise ValueError(f"{config} does not describe a pair: it lacks {', '.join(lacking)}")
    return PairSize(**{f.name: told[f.name] for f in fields(PairSize)})


def load_pair(folder: Path) -> tuple[Pair, PairSize]:
    """The pair in `folder`, in eval mode and float32. Raises FileNotFoundError or ValueError naming the file at fault."""
    from melqcd.checkpoints import load_weights, read_weights

    size, weights = shape_of(folder), folder / "model.safetensors"
    net = size.build()
    load_weights(net, read_weights(weights), f"{weights} (built as config.json says)")
    return net.eval(), size


def listen(net: Pair, size: PairSize, wave: NDArray) -> Tensor:
    """[dims] of mono `wave` [samples] at 16 kHz, of any length; in silence `when` is zeros."""
    import torch

    from bench.judges.lab_ears import heard

    found = continued(heard(wave, size.bands, STEP * slots_of(len(wave))), len(wave))
    return embedding(net.listen(torch.from_numpy(found)[None].to(net.device)), size)[0]


def watch(net: Pair, size: PairSize, video: Path) -> Tensor:
    """[dims] of the pictures of the file `video`; of a still one `when` is zeros."""
    import torch

    from bench.media import frame_times, squares

    stamps = frame_times(video)
    count = 1 + round(float(stamps[-1]) * FPS) if len(stamps) else 1
    pixels = torch.from_numpy(squares(video, np.arange(count) / FPS, size.size)).permute(0, 3, 1, 2)
    return embedding(net.look(pixels.float().div(255)[None].to(net.device)), size)[0]


def slots_of(samples: int) -> int:
    """Slots that a sound of `samples` at 16 kHz fills, the last one by half or more; at least one."""
    return max(1, round(samples * FPS / RATE))


def continued(found: NDArray, samples: int) -> NDArray:
    """Filter banks [frames, bands] of a sound of `samples`, its last frame repeated where they go beyond it: no end is heard there."""
    last = max(0, (samples - WINDOW) // HOP)
    return found[np.minimum(np.arange(len(found)), last)]


def embedding(told: Told, size: PairSize) -> Tensor:
    """[B, dims]: the mean of what, and when, each a unit vector (or zeros) times the root of its share of a cosine."""
    import torch
    from torch.nn.functional import normalize

    what = normalize(told.what.mean(1), dim=-1)
    return torch.cat([(1 - size.share) ** 0.5 * what, size.share**0.5 * folded(told.when, size.slots, size.grain)], -1)


def folded(when: Tensor, slots: int, grain: int) -> Tensor:
    """[B, slots / grain * D] unit vectors from [B, T, D]: each clip less its mean over time, stretches of `slots` laid over one another.

    Where nothing changes there is no direction: zeros.
    """
    from torch.nn.functional import normalize, pad

    moved = when - when.mean(1, keepdim=True)
    moved = pad(moved, (0, 0, 0, -moved.shape[1] % slots)).unflatten(1, (-1, slots)).sum(1)
    return normalize(moved.unflatten(1, (-1, grain)).mean(2).flatten(1), dim=-1, eps=1e-4)


def gazes(pictures: Tensor) -> Tensor:
    """What ImageBind and CLIP are shown: RGB in 0 ... 1, [..., 3, frames, h, w], each colour less CLIP's mean over its deviation."""
    import torch

    from melqcd.visual import CLIP_MEAN, CLIP_STD

    mean, deviation = (torch.tensor(v)[:, None, None, None].to(pictures.device) for v in (CLIP_MEAN, CLIP_STD))
    return (pictures - mean) / deviation
