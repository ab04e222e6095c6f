"""Video to features, once per clip: motion by Synchformer's visual encoder, looks by CLIP's.

Frames come in as uint8 [T, H, W, 3], RGB, 25 a second; features leave as [T, d], one for each frame and so for each slot.
Preprocessing is that of Mel-QCD (specification of checkpoints, 4a and 8).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from melqcd.pictures import squared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection

    from melqcd.synchformer import Synchformer

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # of the red, green and blue that CLIP was trained on, in 0 ... 1
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@torch.inference_mode()
def motion_features(
    net: Synchformer,
    frames: np.ndarray,
    *,
    each: Literal["window", "step"] = "window",
    stride: int = 1,
    padded_to: int = 0,
    whole: bool = False,
    batch: int = 16,
) -> Tensor:
    """[T, width] of `frames`: feature t is about frame t.

    each="window": the mean over a window of frames t - window/2 ... t + window/2 - 1, as in Mel-QCD; with stride > 1 only every
        stride-th, the others interpolated.
    each="step": windows half overlap and each gives the features of its middle steps, one for two frames, interpolated: a fraction
        2 / window of the work.
    Beyond its ends the first and the last frame stand still. padded_to: black frames appended up to that number, as released (256);
        `whole` gives their features too.
    batch: windows at once.
    """
    size, device = net.size, next(net.parameters()).device
    count = len(frames)
    if not count:
        return torch.zeros(0, size.width)
    pixels = square(frames, size.image).to(device)  # uint8 [T, 3, image, image]: floats only of the windows at hand
    if padded_to > count:
        pixels = torch.cat([pixels, torch.zeros_like(pixels[:1]).expand(padded_to - count, -1, -1, -1)])
    count = len(pixels) if whole else count
    if each == "step":
        starts = torch.arange(-(size.window // 4), len(pixels) - size.window // 4, size.window // 2)
    else:
        starts = torch.arange(0, len(pixels) + stride - 1, stride).clamp(max=len(pixels) - 1).unique() - size.window // 2
    at = (starts[:, None] + torch.arange(size.window)).clamp(0, len(pixels) - 1)
    seen = (pixels[rows.to(device)].transpose(1, 2).float().div_(127.5).sub_(1) for rows in at.split(batch))  # in [-1, 1]
    found = torch.cat([net(some) for some in seen]).float().cpu()
    if each == "window":
        return _between(found.mean(1), starts.double() + size.window // 2, count)
    kept = slice(size.steps // 4, size.steps - size.steps // 4)
    moments = starts[:, None] + 2 * torch.arange(size.steps)[kept] + 0.5  # a step lies between its two frames
    return _between(found[:, kept].flatten(0, 1), moments.flatten().double(), count)


@torch.inference_mode()
def looks_features(net: CLIPVisionModelWithProjection, frames: np.ndarray, *, stride: int = 1, batch: int = 32) -> Tensor:
    """[T, d]: CLIP's projected image embedding of each frame, not normalised.

    stride > 1: of every stride-th and of the last frame, the others interpolated.
    """
    if not len(frames):
        return torch.zeros(0, net.config.projection_dim)
    at = torch.arange(0, len(frames) + stride - 1, stride).clamp(max=len(frames) - 1).unique()
    found = []
    for rows in at.split(batch):
        pixels = clip_pixels(frames[rows.numpy()], int(net.config.image_size)).to(net.device, net.dtype)  # type: ignore[arg-type]
        found.append(net(pixel_values=pixels).image_embeds.float().cpu())
    return _between(torch.cat(found), at.double(), len(frames))


def clip_pixels(frames: np.ndarray, size: int) -> Tensor:
    """What CLIP is shown: [T, 3, size, size], each colour less its mean over its deviation."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (CLIP_MEAN, CLIP_STD))
    return (square(frames, size).float() / 255 - mean) / std


def square(frames: np.ndarray, size: int) -> Tensor:
    """uint8 [T, 3, size, size]: each of `frames`, uint8 [T, H, W, 3], `squared`.

    Raises ValueError for anything but uint8 pictures in colour.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"frames must be uint8 [T, H, W, 3], got {frames.dtype} {list(frames.shape)}")
    if frames.shape[1:3] != (size, size):
        frames = np.stack([squared(f, size) for f in frames])
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))


def load_looks(path: Path | str) -> CLIPVisionModelWithProjection:
    """CLIP's vision tower from a folder as `save_pretrained` writes it: a whole CLIP (its text half is left) or the tower alone.

    Raises FileNotFoundError or ValueError naming the folder.
    """
    from transformers import CLIPVisionModelWithProjection
    from transformers.utils.logging import disable_progress_bar

    from melqcd.pretrained import pretrained

    disable_progress_bar()  # of weights that load within a second
    return pretrained(CLIPVisionModelWithProjection, Path(path), partly=True, weights_only=True).eval()


def load_names(path: Path | str) -> tuple[CLIPTextModelWithProjection, CLIPTokenizer]:
    """CLIP's text tower and its tokenizer from a folder: a whole CLIP (its picture half is left) or the tower alone.

    Raises FileNotFoundError or ValueError naming the folder.
    """
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer
    from transformers.utils.logging import disable_progress_bar

    from melqcd.pretrained import named, pretrained

    disable_progress_bar()
    net = pretrained(CLIPTextModelWithProjection, Path(path), partly=True, weights_only=True).eval()
    lacking = [name for name in ("vocab.json", "merges.txt") if not (Path(path) / name).is_file()]
    if lacking and not (Path(path) / "tokenizer.json").is_file():
        raise FileNotFoundError(f"{path} has no tokenizer: vocab.json and merges.txt are needed to read names")
    with named(Path(path)):
        return net, CLIPTokenizer.from_pretrained(path, local_files_only=True)


@torch.inference_mode()
def names_features(net: CLIPTextModelWithProjection, tokenizer: CLIPTokenizer, texts: Sequence[str]) -> Tensor:
    """[texts, d]: CLIP's projected text embedding of each, not normalised; what is longer than the tower reads is cut."""
    longest = int(net.config.max_position_embeddings)  # type: ignore[arg-type]
    told = tokenizer(list(texts), padding="max_length", max_length=longest, truncation=True, return_tensors="pt")
    return net(**told.to(net.device)).text_embeds.float().cpu()


def _between(values: Tensor, moments: Tensor, count: int) -> Tensor:
    """[count, d] at 0, 1, ... count - 1 from `values` [n, d] at ascending `moments` [n]: linear, still beyond the ends."""
    if len(values) == count and torch.equal(moments, torch.arange(count).double()):
        return values
    at = torch.arange(count).double()
    right = torch.searchsorted(moments, at).clamp(1, max(1, len(moments) - 1))
    if len(moments) == 1:
        return values.expand(count, -1)
    left = right - 1
    share = ((at - moments[left]) / (moments[right] - moments[left])).clamp(0, 1).to(values.dtype)[:, None]
    return values[left] * (1 - share) + values[right] * share
