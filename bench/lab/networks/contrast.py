"""What the encoders of video are taught by: a small ear, kept only while they learn, and who must be more alike than whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

if TYPE_CHECKING:
    from bench.judges.pair_net import Told

NEAR = 1  # slots beside its own that a picture is neither drawn to nor pushed away from

SHARP = {"what": 10.0, "shift": 4.0, "slot": 2.0}  # begin of the factors on likeness: clips as a whole, moved sounds, slots


class Ear(nn.Module):
    """[B, dims, slots] from mel pictures [B, bins, frames] in 0 ... 1: convolutions over time alone, each slot hearing 0.3 s around it.

    Edges are continued, not zeroed: zeros would tell where in the clip a slot lies, and that is no synchrony.
    """

    def __init__(self, bins: int, dims: int, width: int = 128):
        super().__init__()

        def layer(before: int, wide: int, step: int) -> list[nn.Module]:
            conv = nn.Conv1d(before, width, wide, step, wide // 2, padding_mode="replicate")
            return [conv, nn.BatchNorm1d(width), nn.GELU()]

        self.layers = nn.Sequential(*layer(bins, 5, 1), *layer(width, 5, 2), *layer(width, 5, 2), *layer(width, 3, 1))
        self.out = nn.Conv1d(width, dims, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.out(self.layers(4 * image - 1))


class Slots(nn.Module):
    """An encoder of windows (`eye`) and an ear. Two likenesses: `when`, of what changes within a clip, and `what`, of clips as a whole.

    They are apart because pictures of one clip are nearly the same: in one space, what changes is lost beside what stays (tried).
    """

    def __init__(self, eye: nn.Module, width: int, bins: int, dims: int):
        super().__init__()
        self.eye, self.ear, self.dims = eye, Ear(bins, 2 * dims), dims
        self.across = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * dims))
        self.sharpness = nn.ParameterDict({name: nn.Parameter(torch.tensor(v).log()) for name, v in SHARP.items()})

    def sharp(self, name: str) -> Tensor:
        return self.sharpness[name].exp().clamp(max=100)

    def seen(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """([B, K, dims] when, [B, dims] what) from [B, K, 3, frames, h, w]."""
        features = self.across(self.eye(windows.flatten(0, 1)).mean(1)).float().unflatten(0, windows.shape[:2])
        when, what = features.split(self.dims, -1)
        return changing(when), normalize(what.mean(1), dim=-1)

    def heard(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """([B, slots, dims] when, [B, dims] what)."""
        when, what = self.ear(image).float().mT.split(self.dims, -1)
        return changing(when), normalize(what.mean(1), dim=-1)


class Frames(nn.Module):
    """An encoder of single frames (`eye`, CLIP's) and an ear that hears a clip as a whole."""

    def __init__(self, eye: nn.Module, bins: int, dims: int):
        super().__init__()
        self.eye, self.ear = eye, Ear(bins, dims)
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())

    def seen(self, pixels: Tensor) -> Tensor:
        """[B, dims] unit vectors from [B, 3, h, w]."""
        return normalize(self.eye(pixel_values=pixels).image_embeds.float(), dim=-1)

    def heard(self, image: Tensor) -> Tensor:
        """[B, dims] unit vectors."""
        return normalize(self.ear(image).float().mean(-1), dim=-1)


def changing(features: Tensor) -> Tensor:
    """[B, T, D] less each clip's mean over time, at unit mean length over all."""
    moved = features - features.mean(1, keepdim=True)
    return moved / moved.square().sum(-1).mean().sqrt().clamp_min(1e-6)


def shifted(own: Tensor, at: Tensor, most: int) -> Tensor:
    """[B, 2 most + 1] mean likeness of a clip's windows with its sound moved by -most ... most slots.

    own: [B, K, slots], windows at slots `at` [B, K]. Windows that a shift moves out of the clip are left out of its mean.
    """
    moved = at[..., None] + torch.arange(-most, most + 1)
    inside = (moved >= 0) & (moved < own.shape[-1])
    return (own.gather(-1, moved.clamp(0, own.shape[-1] - 1)) * inside).sum(1) / inside.sum(1).clamp_min(1)


def among_shifts(own: Tensor, at: Tensor, most: int) -> Tensor:
    """[B] loss: a clip's windows together must be most like its sound unmoved. own: [B, K, slots]."""
    return cross_entropy(shifted(own, at, most), torch.full((len(at),), most), reduction="none")


def among_slots(own: Tensor, at: Tensor) -> Tensor:
    """[B] loss: each window must be most like its own slot among all slots of its clip but those up to NEAR beside it."""
    away = (torch.arange(own.shape[-1]) - at[..., None]).abs()
    logits = own.masked_fill((away > 0) & (away <= NEAR), float("-inf"))
    return cross_entropy(logits.flatten(0, 1), at.flatten(), reduction="none").view(at.shape).mean(1)


def among_clips(seen: Tensor, heard: Tensor, sharp: Tensor) -> Tensor:
    """[B] loss: a picture must be most like its own sound, and the sound most like it. seen, heard: [B, D] unit vectors."""
    like, own = sharp * seen @ heard.T, torch.arange(len(seen))
    return (cross_entropy(like, own, reduction="none") + cross_entropy(like.T, own, reduction="none")) / 2


class Moments(nn.Module):
    """The lab's pair with the factors on likeness that it is taught by."""

    def __init__(self, pair: nn.Module):
        super().__init__()
        self.pair = pair
        begin = {"what": SHARP["what"], "when": SHARP["what"], "slot": SHARP["slot"]}
        self.sharpness = nn.ParameterDict({name: nn.Parameter(torch.tensor(v).log()) for name, v in begin.items()})

    def loss(self, seen: Told, heard: Told, most: int) -> Tensor:
        """[B] loss: own sound among all clips', by what; unmoved among all moved by -most ... most, by when; own slot among its clip's."""
        sharp = {name: p.exp().clamp(max=100) for name, p in self.sharpness.items()}
        what, other_what = (normalize(x.what.mean(1), dim=-1) for x in (seen, heard))
        when, other_when = (changing(x.when.float()) for x in (seen, heard))
        slots = torch.arange(when.shape[1]).expand(when.shape[:2])
        apart = among_slots(sharp["slot"] * when @ other_when.mT, slots)
        one, other = (normalize(x.flatten(1), dim=-1).view_as(x) for x in (when, other_when))
        return apart + among_clips(what, other_what, sharp["what"]) + among_moments(one, other, sharp["when"], most)


def among_moments(seen: Tensor, heard: Tensor, sharp: Tensor, most: int) -> Tensor:
    """[B] loss: a clip's picture must be most like its own sound unmoved, among all sounds moved by -most ... most slots; and so the sound.

    seen, heard: [B, T, D], of unit length over both T and D. A move by up to NEAR of its own sound is neither drawn to nor pushed away.
    """
    count, place = len(seen), torch.arange(len(seen))
    moved = nn.functional.pad(heard, (0, 0, most, most)).unfold(1, seen.shape[1], 1)  # [B, moves, D, T]
    like = sharp * torch.einsum("itd,jkdt->ijk", seen, moved)
    near = (torch.arange(-most, most + 1).abs() <= NEAR) & (torch.arange(-most, most + 1) != 0)
    like = like.masked_fill(torch.eye(count, dtype=torch.bool)[:, :, None] & near, float("-inf"))
    own = place * (2 * most + 1) + most
    return sum(cross_entropy(x.flatten(1), own, reduction="none") for x in (like, like.transpose(0, 1))) / 2  # type: ignore[return-value]
