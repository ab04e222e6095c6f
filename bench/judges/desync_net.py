"""Synchformer whole: by how many seconds a sound is off its picture. Names of weights are the published ones.

Source: Iashin et al., 2024 (Synchformer), in av-benchmark's use; specification of checkpoints, 4b, checked by its golden.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from melqcd.checkpoints import empty, load_weights, read_weights
from melqcd.sizes import MotionSize
from melqcd.synchformer import UNUSED, Gather, Synchformer

WIDTH, HEADS = 768, 12
BANDS, COLUMNS = 128, 66  # of one segment's mel picture
ROWS, STEPS = 12, 6  # patches of 16 x 16 at every tenth place
SEGMENTS = 14  # heard and seen together: 4.8 s
OFFSETS = 21  # classes, evenly from -2 to 2 seconds
AST_EPS = 1e-12


class DeSync(nn.Module):
    """Segments of video and of sound to logits [B, 21] over `offsets()`."""

    def __init__(self):
        super().__init__()
        self.vfeat_extractor = Synchformer(MotionSize())
        self.afeat_extractor = Hearing()
        self.vproj, self.aproj = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.transformer = Compare()

    def look(self, frames: Tensor) -> Tensor:
        """Segments of frames [S, 3, 16, 224, 224] in [-1, 1] to [S, 8, 768]."""
        return self.vfeat_extractor(frames)

    def listen(self, mel: Tensor) -> Tensor:
        """Normalised mel pictures [S, 1, 128, 66] to [S, 6, 768]."""
        return self.afeat_extractor(mel)

    def compare(self, seen: Tensor, heard: Tensor) -> Tensor:
        """Logits [B, 21] of what `look` and `listen` made of 14 segments each: [B, 14, 8, 768] and [B, 14, 6, 768]."""
        return self.transformer(self.vproj(seen.flatten(1, 2)), self.aproj(heard.flatten(1, 2)))


def offsets() -> Tensor:
    """[21], the seconds that the classes stand for."""
    return (torch.arange(OFFSETS) - OFFSETS // 2) / 5


class Hearing(nn.Module):
    """An audio spectrogram transformer whose rows of patches are gathered, moment by moment."""

    def __init__(self):
        super().__init__()
        self.ast = nn.Module()
        self.ast.embeddings = nn.Module()
        start = self.ast.embeddings
        start.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        start.distillation_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        start.position_embeddings = nn.Parameter(torch.zeros(1, ROWS * STEPS + 2, WIDTH))
        start.patch_embeddings = nn.Module()
        start.patch_embeddings.projection = nn.Conv2d(1, WIDTH, 16, 10)
        self.ast.encoder = nn.Module()
        self.ast.encoder.layer = nn.ModuleList(Layer() for _ in range(12))
        self.ast.layernorm = nn.LayerNorm(WIDTH, AST_EPS)
        self.freq_attn_agg = Gather(WIDTH, HEADS)

    def forward(self, mel: Tensor) -> Tensor:
        start = self.ast.embeddings
        patches = start.patch_embeddings.projection(mel).flatten(2).mT  # type: ignore[operator,union-attr]
        first = torch.cat([start.cls_token, start.distillation_token], 1)  # type: ignore[union-attr,list-item]
        x = torch.cat([first.expand(len(mel), -1, -1), patches], 1) + start.position_embeddings  # type: ignore[union-attr]
        for layer in self.ast.encoder.layer:  # type: ignore[union-attr]
            x = layer(x)
        x = self.ast.layernorm(x)[:, 2:].unflatten(1, (ROWS, STEPS)).transpose(1, 2)  # type: ignore[operator]
        return self.freq_attn_agg(x.flatten(0, 1)).unflatten(0, (-1, STEPS))


class Layer(nn.Module):
    """One of AST's blocks, under the names of transformers 4."""

    def __init__(self):
        super().__init__()
        self.attention = nn.ModuleDict(
            {
                "attention": nn.ModuleDict({n: nn.Linear(WIDTH, WIDTH) for n in ("query", "key", "value")}),
                "output": nn.ModuleDict({"dense": nn.Linear(WIDTH, WIDTH)}),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(WIDTH, 4 * WIDTH)})
        self.output = nn.ModuleDict({"dense": nn.Linear(4 * WIDTH, WIDTH)})
        self.layernorm_before, self.layernorm_after = nn.LayerNorm(WIDTH, AST_EPS), nn.LayerNorm(WIDTH, AST_EPS)

    def forward(self, x: Tensor) -> Tensor:
        ways, y = self.attention["attention"], self.layernorm_before(x)
        q, k, v = (_split(ways[n](y), HEADS) for n in ("query", "key", "value"))  # type: ignore[index,operator]
        y = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.attention["output"]["dense"](y)  # type: ignore[index,operator]
        return x + self.output["dense"](gelu(self.intermediate["dense"](self.layernorm_after(x))))


class Compare(nn.Module):
    """A transformer over what is seen, a mark, and what is heard; its first token tells the offset."""

    def __init__(self):
        super().__init__()
        self.OFF_tok, self.MOD_tok = (nn.Parameter(torch.zeros(1, 1, WIDTH)) for _ in range(2))
        self.vis_in_lnorm, self.aud_in_lnorm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.pos_emb_cfg = nn.Module()
        self.pos_emb_cfg.pos_emb = nn.Parameter(torch.zeros(1, 2 + SEGMENTS * (8 + STEPS), WIDTH))
        self.blocks = nn.ModuleList(Block(8) for _ in range(3))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.off_head = nn.Linear(WIDTH, OFFSETS)

    def forward(self, seen: Tensor, heard: Tensor) -> Tensor:
        marks = (t.expand(len(seen), -1, -1) for t in (self.OFF_tok, self.MOD_tok))
        off, mod = marks
        x = torch.cat([off, self.vis_in_lnorm(seen), mod, self.aud_in_lnorm(heard)], 1) + self.pos_emb_cfg.pos_emb  # type: ignore[operator]
        for block in self.blocks:
            x = block(x)
        return self.off_head(self.ln_f(x)[:, 0])


class Block(nn.Module):
    def __init__(self, heads: int):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = nn.ModuleDict({n: nn.Linear(WIDTH, WIDTH) for n in ("key", "query", "value", "proj")})
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln1(x)
        q, k, v = (_split(self.attn[n](y), self.heads) for n in ("query", "key", "value"))
        x = x + self.attn["proj"](scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.ln2(x))


def _split(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def load_desync(path: Path | str, *, allow_pickle: bool = False) -> DeSync:
    """The whole network from MMAudio's synchformer_state_dict.pth (flat) or Synchformer's own file (model), in eval mode."""
    net = empty(DeSync)
    load_weights(net, read_weights(path, inside=["model"], allow_pickle=allow_pickle), path, ignore=UNUSED)
    return net.eval()
