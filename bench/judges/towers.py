"""Two towers of ImageBind's shape, of any size: pictures and sounds in one space of unit vectors.

Parameters are named as in imagebind_huge.pth (spec/checkpoints.md, section 5), so that the published weights fit the same class.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

EPS = 1e-6  # of every layer norm but the audio stem's


@dataclass(frozen=True)
class Eyes:
    """The tower of pictures; the defaults are ImageBind's."""

    width: int = 1280
    blocks: int = 32
    heads: int = 16
    size: int = 224  # pixels, both ways
    patch: int = 14  # pixels, over two frames at once
    frames: int = 2

    @property
    def tokens(self) -> int:
        return self.frames // 2 * (self.size // self.patch) ** 2


@dataclass(frozen=True)
class Ears:
    """The tower of sounds; the defaults are ImageBind's."""

    width: int = 768
    blocks: int = 12
    heads: int = 12
    bands: int = 128
    frames: int = 204  # 10 ms each
    patch: int = 16
    stride: int = 10  # bands and frames between patches

    @property
    def tokens(self) -> int:
        return ((self.bands - self.patch) // self.stride + 1) * ((self.frames - self.patch) // self.stride + 1)


class Towers(nn.Module):
    """`look` and `listen` give unit vectors [B, dims]; the audio tower's are not multiplied by ImageBind's 20, which a cosine ignores."""

    def __init__(self, eyes: Eyes, ears: Ears, dims: int = 1024):
        super().__init__()
        self.eyes, self.ears, self.dims = eyes, ears, dims
        self.modality_preprocessors = nn.ModuleDict({"vision": _Sight(eyes), "audio": _Hearing(ears)})
        self.modality_trunks = nn.ModuleDict(
            {
                "vision": _Trunk(eyes.width, eyes.blocks, eyes.heads, first_norm=True, extra_key=False),
                "audio": _Trunk(ears.width, ears.blocks, ears.heads, first_norm=False, extra_key=True),
            }
        )
        self.modality_heads = nn.ModuleDict({"vision": _head(eyes.width, dims), "audio": _head(ears.width, dims)})
        self.modality_postprocessors = nn.ModuleDict({"audio": nn.Sequential(nn.Identity(), _Sharpness())})

    @property
    def sharpness(self) -> Tensor:
        """What cosines are multiplied by in the contrastive loss."""
        return self.modality_postprocessors["audio"][1].log_logit_scale.exp()  # type: ignore[index,operator,union-attr]

    def look(self, frames: Tensor) -> Tensor:
        """frames: [B, 3, frames, size, size], normalised RGB: moments of a video, or one picture twice."""
        return self._embedded("vision", frames)

    def listen(self, heard: Tensor) -> Tensor:
        """heard: [B, 1, bands, frames], normalised log filter banks."""
        return self._embedded("audio", heard)

    def _embedded(self, name: str, x: Tensor) -> Tensor:
        tokens = self.modality_trunks[name](self.modality_preprocessors[name](x))
        return nn.functional.normalize(self.modality_heads[name](tokens).float(), dim=-1)


class _Place(nn.Module):
    def __init__(self, tokens: int, width: int):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.empty(1, tokens + 1, width))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)


class _Sight(nn.Module):
    def __init__(self, eyes: Eyes):
        super().__init__()
        step = (2, eyes.patch, eyes.patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, eyes.width))
        self.rgbt_stem = nn.ModuleDict({"proj": nn.Sequential(nn.Identity(), nn.Conv3d(3, eyes.width, step, step, bias=False))})
        self.pos_embedding_helper = _Place(eyes.tokens, eyes.width)

    def forward(self, frames: Tensor) -> Tensor:
        return _begun(self, self.rgbt_stem["proj"](frames).flatten(2).mT)


class _Hearing(nn.Module):
    def __init__(self, ears: Ears):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, ears.width))
        self.rgbt_stem = nn.ModuleDict(
            {
                "proj": nn.Conv2d(1, ears.width, ears.patch, ears.stride, bias=False),
                "norm_layer": nn.LayerNorm(ears.width),  # eps 1e-5
            }
        )
        self.pos_embedding_helper = _Place(ears.tokens, ears.width)

    def forward(self, heard: Tensor) -> Tensor:
        return _begun(self, self.rgbt_stem["norm_layer"](self.rgbt_stem["proj"](heard).flatten(2).mT))


def _begun(stem, tokens: Tensor) -> Tensor:
    return torch.cat([stem.cls_token.expand(len(tokens), -1, -1), tokens], 1) + stem.pos_embedding_helper.pos_embed


class _Trunk(nn.Module):
    def __init__(self, width: int, blocks: int, heads: int, *, first_norm: bool, extra_key: bool):
        super().__init__()
        if first_norm:
            self.pre_transformer_layer = nn.Sequential(nn.LayerNorm(width, EPS))
        self.blocks = nn.ModuleList(_Block(width, heads, extra_key) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pre_transformer_layer(x) if hasattr(self, "pre_transformer_layer") else x
        for block in self.blocks:
            x = block(x)
        return x


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, extra_key: bool):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width, EPS), nn.LayerNorm(width, EPS)
        self.attn = nn.MultiheadAttention(width, heads, add_bias_kv=extra_key, batch_first=True)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp["fc2"](nn.functional.gelu(self.mlp["fc1"](self.norm_2(x))))


class _Sharpness(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_logit_scale = nn.Parameter(torch.tensor(20.0).log())


class _First(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


def _head(width: int, dims: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width, EPS), _First(), nn.Linear(width, dims, bias=False))
