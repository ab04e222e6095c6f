"""What is published: each checkpoint's files, size, licence and source, and the names and shapes of its weights. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from re import split
from typing import Any

from melqcd.published.list import KNOWN, File, Known

__all__ = ["KNOWN", "File", "Known", "looks_like", "recognised", "table", "tables"]

# the shapes of Stable Diffusion 1.5, which Auffusion and Mel-QCD share; diffusers' and transformers' settings
_BLOCKS = {
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
_DOWN = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
SD_UNET: dict[str, Any] = {
    "sample_size": 64, "in_channels": 4, "out_channels": 4, "down_block_types": _DOWN,
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3, **_BLOCKS,
}  # fmt: skip
SD_CONTROLNET: dict[str, Any] = {"in_channels": 4, "conditioning_channels": 8, "down_block_types": _DOWN, **_BLOCKS}
SD_VAE: dict[str, Any] = {
    "sample_size": 512, "in_channels": 3, "out_channels": 3, "latent_channels": 4, "layers_per_block": 2,
    "block_out_channels": (128, 256, 512, 512), "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4, "scaling_factor": 0.18215,
}  # fmt: skip
SD_TEXT: dict[str, Any] = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "vocab_size": 49408,
    "max_position_embeddings": 77, "hidden_act": "quick_gelu", "projection_dim": 768, "bos_token_id": 49406, "eos_token_id": 49407,
    "pad_token_id": 49407,
}  # fmt: skip

TABLES = Path(__file__).with_name("tables.txt")
SHARE = 0.5  # of the names in a file that must be a checkpoint's before it is said to look like it


@cache
def tables() -> Mapping[str, Mapping[str, tuple[int, ...]]]:
    """{table: {name of a weight: shape}}, every tensor that a published file must hold."""
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    entries: dict[str, tuple[int, ...]] = {}
    lines = TABLES.read_text().splitlines() if TABLES.exists() else []
    for line in lines:
        if line.startswith("["):
            entries = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            pattern, _, shape = line.rpartition(" ")
            size = tuple(int(n) for n in shape.split("x")) if shape != "()" else ()
            entries |= dict.fromkeys(spelt_out(pattern), size)
    return found


def table(name: str) -> Mapping[str, tuple[int, ...]]:
    return tables()[name]


def spelt_out(pattern: str) -> Iterator[str]:
    """`a.{0-2}.b` as a.0.b, a.1.b and a.2.b; several braces as every combination."""
    parts = split(r"\{(\d+)-(\d+)\}", pattern)
    texts = parts[::3]
    ranges = [range(int(a), int(b) + 1) for a, b in zip(parts[1::3], parts[2::3])]
    for numbers in product(*ranges):
        yield "".join(t + str(n) for t, n in zip(texts, numbers)) + texts[-1]


def compact(entries: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The lines of a table: names that differ in one number, neighbours and equal in shape become one line."""
    rows: dict[tuple[tuple[str | tuple[int, int], ...], tuple[int, ...]], None] = {}
    for name, shape in entries.items():
        parts = split(r"(\d+)", name)
        rows[tuple((int(p), int(p)) if i % 2 else p for i, p in enumerate(parts)), shape] = None
    longest = max((len(parts) for parts, _ in rows), default=0)
    for place in range(1, longest, 2):
        groups: dict[Any, list[tuple[int, int]]] = {}
        for parts, shape in rows:
            span = parts[place] if place < len(parts) else (0, 0)
            groups.setdefault((parts[:place], parts[place + 1 :], shape, place < len(parts)), []).append(span)  # type: ignore[arg-type]
        rows = {}
        for (before, after, shape, there), spans in groups.items():
            for span in _joined(spans) if there else spans:
                rows[(*before, span, *after) if there else before, shape] = None
    return [f"{''.join(map(_spelt, parts))} {'x'.join(map(str, shape)) or '()'}" for parts, shape in rows]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for a, b in sorted(spans):
        if found and found[-1][1] + 1 == a:
            found[-1] = (found[-1][0], b)
        else:
            found.append((a, b))
    return found


def _spelt(part: str | tuple[int, int]) -> str:
    if isinstance(part, str):
        return part
    return str(part[0]) if part[0] == part[1] else f"{{{part[0]}-{part[1]}}}"


def recognised(names: Iterable[str]) -> Known | None:
    """The known checkpoint that most of `names` are of, whatever stands before them; None where there is none."""
    return next(iter(alike(names)), None)


def alike(names: Iterable[str]) -> list[Known]:
    """The known checkpoints that most of `names` are of: several where they differ in sizes alone; [] where there is none."""
    names = set(names)
    best, found = SHARE, []
    for known in KNOWN.values():
        for file in known.files:
            for section, prefix in file.sections:
                own = table(section).keys() if section in tables() else set()
                for start in {prefix, ""}:
                    shared = sum(1 for n in own if start + n in names)
                    share = 2 * shared / (len(names) + len(own)) if names and own else 0.0
                    if share > best:
                        best, found = share, [known]
                    elif share == best and found and known not in found:
                        found.append(known)
    return found


def looks_like(state: Mapping[str, Any]) -> str:
    """`; it looks like X: ...` for the end of a message about weights that do not fit, or "" where they look like nothing known."""
    known = alike(state)
    serves = f", which serves {known[0].serves}" if len(known) == 1 else ""
    return f"; it looks like {' or '.join(k.id for k in known)}{serves}" if known else ""
