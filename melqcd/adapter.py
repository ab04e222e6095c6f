"""Auffusion's folders with a condition adapter: words as long as they are, zeros after them, and a layer over all (checkpoints, 3)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from melqcd.checkpoints import load_weights, read_weights

LIST = "condition_config.json"  # whose presence tells this layout from the plain one
LENGTH = 77


class ConditionAdapter(nn.Module):
    """Hidden states [..., width] to what the UNet attends to."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.proj, self.norm = nn.Linear(before, after), nn.LayerNorm(after)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.proj(x))


def condition(folder: Path) -> dict[str, Any]:
    """What condition_config.json lists: text_encoder_name, the folder of CLIP's text half with its tokenizer, and adapter, the arguments of
    `load_adapter`.

    Raises ValueError naming the file for anything but one text encoder, which is what is published.
    """
    path = folder / LIST
    try:
        (told,) = json.loads(path.read_text())
        widths = {"before": int(told["condition_dim"]), "after": int(told["cross_attention_dim"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} should list one condition with its names and widths: {error!r}") from error
    text = _place(folder, str(told.get("text_encoder_name", "")), "text_encoder_0")
    return {
        "text_encoder_name": text,
        "adapter": {"folder": _place(folder, str(told.get("condition_adapter_name", "")), "condition_adapter_0"), **widths},
    }


def _place(folder: Path, named: str, usual: str) -> Path:
    """The part's folder beside the list, which may name what the part was made of instead."""
    for name in (usual, Path(named).name):
        if name and (folder / name).is_dir():
            return folder / name
    raise FileNotFoundError(f"no {usual}/ in {folder}, which {LIST} asks for")


def load_adapter(folder: Path, before: int, after: int) -> ConditionAdapter:
    """The adapter in `folder` (condition_adapter.pt or .safetensors), in eval mode."""
    path = next((p for n in ("condition_adapter.safetensors", "condition_adapter.pt") if (p := folder / n).exists()), None)
    if path is None:
        raise FileNotFoundError(f"no condition_adapter.pt in {folder}")
    net = ConditionAdapter(before, after)
    load_weights(net, {k: v.float() for k, v in read_weights(path).items()}, path)
    return net.eval().requires_grad_(False)


def adapted(text: Any, tokenizer: Any, adapter: ConditionAdapter, prompts: Sequence[str], length: int = LENGTH) -> Tensor:
    """[B, length, width]: each prompt as long as it is, then zeros, then the adapter over both; "" is zeros after the adapter.

    A prompt beyond CLIP's 77 words is cut, where the released pipeline would fail.
    """
    width = adapter.proj.out_features
    found = torch.zeros(len(prompts), length, width, device=text.device, dtype=text.dtype)
    for row, prompt in enumerate(prompts):
        if not prompt:
            continue
        ids = tokenizer(prompt, truncation=True, max_length=length, return_tensors="pt").input_ids.to(text.device)
        with torch.no_grad():
            hidden = text(ids).last_hidden_state
            padded = nn.functional.pad(hidden, (0, 0, 0, length - hidden.shape[1]))
            found[row] = adapter(padded)[0]
    return found
