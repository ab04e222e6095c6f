"""Textual inversion: what a video looks like as pseudo-words inside the prompt (paper, 4.4; specification of checkpoints, 2).

An adapter turns the mean CLIP embedding of the video into n token embeddings. They stand behind the prompt and a comma, where the text
encoder would otherwise see n dollar signs, and are read like any other word. Parameters are named as in the released checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from melqcd.settings import Adapter

if TYPE_CHECKING:
    from transformers import CLIPTextModel

    from melqcd.backbone import Backbone

HOLDER = "$"  # the word in whose places the pseudo-words stand
FILE = "inversion.safetensors"
RELEASED = "inversion_adapter.inversion_adapter."  # what the adapter's names begin with in MelQCD.ckpt
HEAD = 64  # numbers in one head of CLIP's attention, where the width has that many


class InversionAdapter(nn.Module):
    """Mean image embeddings [B, looks] to pseudo-words [B, tokens, words]: one encoder block of CLIP, then three linear layers.

    The block sees a single position, so its attention is its value path; query and key are kept for the released names.
    """

    def __init__(self, looks: int, words: int, tokens: int, *, dropout: float = 0.5):
        super().__init__()
        wide = 4 * looks
        self.tokens = tokens
        self.encoder_layers = nn.ModuleList([_Block(looks)])
        self.post_layernorm = nn.LayerNorm(looks)
        self.layers = nn.Sequential(
            *(nn.Linear(looks, wide), nn.GELU(), nn.Dropout(dropout)),
            *(nn.Linear(wide, wide), nn.GELU(), nn.Dropout(dropout)),
            nn.Linear(wide, tokens * words),
        )

    def forward(self, looks: Tensor, kept: Sequence[Tensor] = ()) -> Tensor:
        """kept: [B, wide] for each dropout, what it multiplies by (`dropped`); by default as the mode says, nothing in evaluation."""
        x = looks[:, None]
        for block in self.encoder_layers:
            x = block(x)
        x, masks = self.post_layernorm(x)[:, 0], iter(kept)
        for layer in self.layers:
            x = x * next(masks) if kept and isinstance(layer, nn.Dropout) else layer(x)
        return x.unflatten(-1, (self.tokens, -1))


class _Block(nn.Module):
    """CLIP's pre-norm encoder block on [B, positions, width]."""

    def __init__(self, width: int):
        super().__init__()
        self.self_attn = _Attention(width)
        self.layer_norm1 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
        self.layer_norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        inner = self.mlp["fc1"](self.layer_norm2(x))
        return x + self.mlp["fc2"](inner * torch.sigmoid(1.702 * inner))  # CLIP's quick GELU


class _Attention(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.heads = max(h for h in range(1, max(1, width // HEAD) + 1) if width % h == 0)
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj))
        return self.out_proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def build(how: Adapter, looks: int, backbone: Backbone) -> InversionAdapter:
    """A new adapter for embeddings of width `looks`; its first pseudo-words are as large as the text encoder's own words."""
    table = _table(backbone.text)
    net = InversionAdapter(looks, table.shape[-1], how.tokens, dropout=how.dropout)
    with torch.no_grad():
        last: nn.Linear = net.layers[-1]  # type: ignore[assignment]
        nn.init.normal_(last.weight, std=10 * float(table.std()) / last.in_features**0.5)  # it is given about 0.1 (measured)
        nn.init.zeros_(last.bias)
    return net.to(backbone.device)


def save(net: InversionAdapter, folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / FILE)


def load(how: Adapter, folder: Path | str, backbone: Backbone) -> InversionAdapter:
    """What `save` wrote in `folder`, in evaluation mode: no dropout, so that a video always gives the same words.

    Raises ValueError where it is damaged or has another number of words than `how` or another width than `backbone`.
    """
    from melqcd.checkpoints import read_weights

    file = Path(folder) / FILE
    return _filled(read_weights(file), how.tokens, _table(backbone.text).shape[-1], file).to(backbone.device, backbone.text.dtype)


def load_released(path: Path | str, *, tokens: int = 32) -> InversionAdapter:
    """The adapter in the released checkpoint of Mel-QCD, in evaluation mode (the release leaves its dropout on, by oversight)."""
    from melqcd.checkpoints import read_weights

    state = read_weights(path, inside=("state_dict",), prefix=RELEASED)
    return _filled(state, tokens, state["layers.6.weight"].shape[0] // tokens, path)


def _filled(state: dict[str, Tensor], tokens: int, words: int, source: Path | str) -> InversionAdapter:
    from melqcd.checkpoints import empty, load_weights

    looks = state["post_layernorm.weight"].shape[0] if "post_layernorm.weight" in state else HEAD
    net = empty(InversionAdapter, looks, words, tokens)
    load_weights(net, {k: v.float() for k, v in state.items()}, source)
    return net.requires_grad_(False).eval()


def dropped(net: InversionAdapter, share: float, generators: Sequence[torch.Generator]) -> list[Tensor]:
    """[B, wide] for each dropout of `net`: 0 for about `share` of the numbers, 1 / (1 - share) for the others; a generator a clip."""
    wide = net.layers[0].out_features
    rows = [torch.rand(2, int(wide), generator=g) >= share for g in generators]  # type: ignore[call-overload]
    first, second = (torch.stack(rows).to(net.post_layernorm.weight) / (1 - share)).unbind(1)
    return [first, second]


def places(backbone: Backbone, prompts: Sequence[str], tokens: int) -> tuple[Tensor, Tensor]:
    """(ids [B, 77], at [B, tokens]): each prompt, a comma and `tokens` holders, padded as Stable Diffusion does; where the holders are.

    Raises ValueError for a prompt that leaves no room: all of it is 77 tokens at most, 42 of them the prompt's where tokens=32.
    """
    length, spoken = backbone.text.config.max_position_embeddings, backbone.tokenizer
    (holder,) = spoken(HOLDER, add_special_tokens=False).input_ids or [None]
    said = spoken([f"{p}, " + f" {HOLDER} " * tokens for p in prompts], add_special_tokens=False).input_ids
    ids = torch.full((len(said), length), spoken.pad_token_id)
    at = torch.empty(len(said), tokens, dtype=torch.long)
    for row, (prompt, own) in enumerate(zip(prompts, said, strict=True)):
        if own[len(own) - tokens :] != [holder] * tokens:
            raise ValueError(f"the tokenizer does not read {HOLDER!r} as one word, so pseudo-words have no places")
        if len(own) + 2 > length:
            raise ValueError(
                f"prompt {prompt!r} takes {len(own) - tokens - 1} tokens; beside {tokens} pseudo-words there is room for "
                f"{length - tokens - 3} of {length}: write shorter labels, prompt=generic or a smaller inversion.tokens"
            )
        ids[row, : len(own) + 2] = torch.tensor([spoken.bos_token_id, *own, spoken.eos_token_id])
        at[row] = torch.arange(len(own) - tokens, len(own)) + 1
    return ids, at


def written(text: CLIPTextModel, ids: Tensor, at: Tensor, pseudo: Tensor) -> Tensor:
    """[B, 77, d] last hidden states of `ids` [B, 77] whose tokens `at` [B, n] are `pseudo` [B, n, d] instead; gradients reach these."""
    rows = torch.arange(len(ids), device=ids.device)[:, None]

    def put(_module, _given, found: Tensor) -> Tensor:
        return found.index_put((rows, at), pseudo.to(found.dtype))

    hook = text.get_input_embeddings().register_forward_hook(put)
    try:
        return text(ids).last_hidden_state
    finally:
        hook.remove()


def _table(text: CLIPTextModel) -> Tensor:
    """[vocabulary, d], the text encoder's words."""
    return text.get_input_embeddings().weight  # type: ignore[return-value]
