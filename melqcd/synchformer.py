"""Synchformer's visual encoder: what moves, for every two frames of a window. Names of weights are the published ones.

MotionFormer with divided attention (Patrick et al., 2021) and a layer that gathers the patches of one moment (Iashin et al., 2024).
Source: specification of checkpoints, 4, checked by its goldens.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from melqcd.checkpoints import empty, load_weights, read_weights
from melqcd.sizes import MotionSize

EPS = 1e-6  # of every norm
UNUSED = ("patch_embed.proj.weight", "patch_embed.proj.bias")  # in published files: of an image transformer it was begun from


class Synchformer(nn.Module):
    """Windows of frames [W, 3, window, image, image] in [-1, 1] to features [W, steps, width]; their mean is Mel-QCD's feature."""

    def __init__(self, size: MotionSize):
        super().__init__()
        self.size = size
        width = size.width
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + size.patches, width) * 0.02)
        self.temp_embed = nn.Parameter(torch.randn(1, size.steps, width) * 0.02)
        self.patch_embed_3d = Patches(width, size.patch)
        self.blocks = nn.ModuleList(Block(width, size.heads) for _ in range(size.blocks))
        self.norm = nn.LayerNorm(width, EPS)
        self.spatial_attn_agg = Gather(width, size.heads)

    def forward(self, frames: Tensor) -> Tensor:
        x = self.patch_embed_3d(frames)  # [W, steps, patches, width]
        x = x + self.pos_embed[:, None, 1:] + self.temp_embed[:, :, None]
        whole = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
        x, steps = torch.cat([whole, x.flatten(1, 2)], 1), x.shape[1]
        for block in self.blocks:
            x = block(x, steps)
        x = self.norm(x[:, 1:]).unflatten(1, (steps, -1))
        return self.spatial_attn_agg(x.flatten(0, 1)).unflatten(0, (-1, steps))


class Patches(nn.Module):
    """Two frames of a patch become one vector."""

    def __init__(self, width: int, patch: int):
        super().__init__()
        self.proj = nn.Conv3d(3, width, (2, patch, patch), (2, patch, patch))

    def forward(self, frames: Tensor) -> Tensor:
        return self.proj(frames).flatten(3).permute(0, 2, 3, 1)


class Block(nn.Module):
    """Attention along time, then across the picture, then each token by itself; each after its norm and added to what came in."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width, EPS) for _ in range(3))
        self.attn, self.timeattn = Divided(width, heads), Divided(width, heads)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor, steps: int) -> Tensor:
        x = x + self.timeattn(self.norm3(x), steps, along_time=True)
        x = x + self.attn(self.norm1(x), steps, along_time=False)
        return x + self.mlp(self.norm2(x))


class Divided(nn.Module):
    """The first token looks at everything; every other at the first and at its own place over time, or its own moment's places."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, steps: int, *, along_time: bool) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [W, heads, 1 + steps * patches, d]

        def grouped(tokens: Tensor) -> Tensor:
            parts = tokens[:, :, 1:].unflatten(2, (steps, -1))
            return parts.transpose(2, 3) if along_time else parts

        def joined(tokens: Tensor) -> Tensor:
            parts = grouped(tokens)
            return torch.cat([tokens[:, :, None, :1].expand(-1, -1, parts.shape[2], -1, -1), parts], 3)

        first = scaled_dot_product_attention(q[:, :, :1], k, v)
        rest = scaled_dot_product_attention(grouped(q), joined(k), joined(v))
        rest = (rest.transpose(2, 3) if along_time else rest).flatten(2, 3)
        return self.proj(torch.cat([first, rest], 2).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(x)))


class Gather(nn.TransformerEncoderLayer):
    """[B, patches, width] to [B, width]: one transformer layer with a token of its own, which is what comes out."""

    def __init__(self, width: int, heads: int):
        super().__init__(
            width, heads, 4 * width, dropout=0.0, activation="gelu", layer_norm_eps=EPS, batch_first=True, norm_first=True
        )
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)

    def forward(self, src: Tensor, *_, **__) -> Tensor:
        return super().forward(torch.cat([self.cls_token.expand(len(src), -1, -1), src], 1))[:, 0]


def load_synchformer(path: Path | str, *, allow_pickle: bool = False) -> Synchformer:
    """The encoder at `path`, in eval mode.

    A folder: config.json with a MotionSize and model.safetensors, as `save_synchformer` writes. A file: published weights of the full
    size, Mel-QCD's SyncFormer.pt (AVCLIP: state_dict, module.v_encoder.) or Synchformer's own (model, vfeat_extractor.).
    Raises FileNotFoundError or ValueError naming the file at fault.
    """
    path = Path(path)
    if path.is_dir():
        config, weights = path / "config.json", path / "model.safetensors"
        if not config.exists():
            raise FileNotFoundError(f"{path} holds no motion encoder: config.json and model.safetensors are needed")
        try:
            size = MotionSize.read(json.loads(config.read_text()))
        except ValueError as error:
            raise ValueError(f"{config} does not describe a motion encoder: {error}") from error
        net, state, source = empty(Synchformer, size), read_weights(weights), f"{weights} (built as {config.name} says)"
    else:
        net, state, source = empty(Synchformer, MotionSize()), _published(path, allow_pickle), str(path)
    load_weights(net, state, source, ignore=UNUSED)
    return net.eval()


def save_synchformer(net: Synchformer, folder: Path) -> None:
    """Write `net` as `load_synchformer` reads it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(asdict(net.size), indent=1) + "\n")


def _published(path: Path, allow_pickle: bool) -> dict[str, Tensor]:
    state = read_weights(path, inside=["state_dict", "model"], allow_pickle=allow_pickle)
    for prefix in ("module.v_encoder.", "vfeat_extractor."):
        found = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        if found:
            return found
    return state
