"""ImageBind-huge from its file: the towers of pictures, sounds and words, each by itself.

Source: Girdhar et al., 2023; specification of checkpoints, 5, checked by its golden.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.judges.towers import EPS, Ears, Eyes, Towers, _Block
from melqcd.checkpoints import empty, load_weights, read_weights

LENGTH, WORDS = 77, 49408


class Text(nn.Module):
    """Words [B, 77] (CLIP's ids, padded with 0) to vectors [B, 1024] as long as the learnt scale."""

    def __init__(self, width: int = 1024, blocks: int = 24, heads: int = 16, dims: int = 1024):
        super().__init__()
        pre = nn.Module()
        pre.pos_embed = nn.Parameter(torch.zeros(1, LENGTH, width))
        pre.token_embedding = nn.Embedding(WORDS, width)
        trunk = nn.Module()
        trunk.blocks = nn.ModuleList(_Masked(width, blocks_heads) for blocks_heads in [heads] * blocks)
        head = nn.Module()
        head.proj = nn.Sequential(nn.LayerNorm(width, EPS), nn.Linear(width, dims, bias=False))
        last = nn.Module()
        last.log_logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log())
        self.modality_preprocessors = nn.ModuleDict({"text": pre})
        self.modality_trunks = nn.ModuleDict({"text": trunk})
        self.modality_heads = nn.ModuleDict({"text": head})
        self.modality_postprocessors = nn.ModuleDict({"text": nn.Sequential(nn.Identity(), last)})

    def forward(self, ids: Tensor) -> Tensor:
        pre = self.modality_preprocessors["text"]
        x = pre.token_embedding(ids) + pre.pos_embed  # type: ignore[operator]
        for block in self.modality_trunks["text"].blocks:  # type: ignore[union-attr]
            x = block(x)
        last = x[torch.arange(len(ids), device=ids.device), ids.argmax(-1)]  # the end of the text has the largest id
        vector = nn.functional.normalize(self.modality_heads["text"].proj(last), dim=-1)  # type: ignore[operator]
        return vector * self.modality_postprocessors["text"][1].log_logit_scale.exp()  # type: ignore[index,operator,union-attr]


class _Masked(_Block):
    """A block in which a word sees those before it."""

    def __init__(self, width: int, heads: int):
        super().__init__(width, heads, False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm_1(x)
        hidden = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device, dtype=x.dtype)
        x = x + self.attn(y, y, y, attn_mask=hidden, need_weights=False)[0]
        return x + self.mlp["fc2"](nn.functional.gelu(self.mlp["fc1"](self.norm_2(x))))


def load_imagebind(path: Path | str, *, allow_pickle: bool = False) -> Towers:
    """The towers of pictures and sounds; what else the file holds is not read into memory where it is no old pickle."""
    net = empty(Towers, Eyes(), Ears())
    state = {}
    for modality in (".vision.", ".audio."):
        state |= read_weights(path, contains=modality, allow_pickle=allow_pickle)
    load_weights(net, state, path)
    return net.eval()


def load_text(path: Path | str, *, allow_pickle: bool = False) -> Text:
    """The tower of words. Its causal mask, which the file keeps, is made here."""
    net = empty(Text)
    load_weights(net, read_weights(path, contains=".text.", allow_pickle=allow_pickle), path, ignore=("text.mask",))
    return net.eval()
