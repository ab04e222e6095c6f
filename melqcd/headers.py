"""Names and shapes of the tensors in a weights file, read in milliseconds: no tensor is loaded, no torch imported, no code run."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from melqcd.pickles import Shape, read_torch

DTYPES: dict[str, str] = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "U8": "uint8",
}
LARGEST = 100_000_000  # bytes of a safetensors header that the format allows


@dataclass(frozen=True)
class Header:
    """entries: {name: shape and type} after `inside` is unwrapped. foreign: classes beyond tensors and plain values. cut: see `Told`."""

    entries: Mapping[str, Shape]
    foreign: Sequence[str] = ()
    cut: str = ""
    holds: Sequence[str] = field(default=())  # what lies at the top, where it is not tensors


def read_header(path: Path, *, inside: Sequence[str] = ()) -> Header:
    """What the file at `path` says it holds. inside: names under which weights may be nested, as for `read_weights`.

    A `.index.json` beside shards is read as all of its shards. Raises FileNotFoundError, and ValueError where it is no weights file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    if path.name.endswith(".index.json"):
        return _sharded(path)
    _no_text(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    told = read_torch(path)
    state = told.state
    while isinstance(state, dict):
        name = next((n for n in inside if isinstance(state.get(n), dict)), None)
        if name is None:
            break
        state = state[name]
    found = {k: v for k, v in state.items() if isinstance(k, str) and isinstance(v, Shape)} if isinstance(state, dict) else {}
    top = [str(k) for k in list(told.state)[:10]] if isinstance(told.state, dict) else [type(told.state).__name__]
    return Header(found, sorted(set(told.foreign)), told.cut, () if found else top)


def damage(path: Path) -> str:
    """Why the file at `path` cannot be read as weights, or not whole, by its bytes; "" where they do not tell."""
    try:
        return read_header(path).cut
    except (ValueError, OSError) as error:
        return str(error)


def _no_text(path: Path) -> None:
    """ValueError for an empty file and for what stands where a download went wrong: a page, a note of Git LFS."""
    with open(path, "rb") as file:
        head = file.read(120)
    if not head:
        raise ValueError("it is empty (0 bytes)")
    if head.startswith(b"version https://git-lfs"):
        raise ValueError("it is Git LFS's note of a file and not the file: `git lfs pull` fetches it")
    text = head.decode("ascii", errors="replace")
    if len(head) > 8 and all(c.isprintable() or c.isspace() for c in text) and text.isascii():
        raise ValueError(f"it is text and no weights file, it begins {' '.join(text.split())[:40]!r}; fetch it again")


def _safetensors(path: Path) -> Header:
    there = path.stat().st_size
    with open(path, "rb") as file:
        first = file.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else LARGEST + 1
        if length > LARGEST or length + 8 > there:
            raise ValueError("it is cut off or no safetensors file")
        try:
            told: dict[str, Any] = json.loads(file.read(length))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError("it is no safetensors file: its head is not JSON") from error
    tensors = {k: v for k, v in told.items() if k != "__metadata__"}
    needed = 8 + length + max((v["data_offsets"][1] for v in tensors.values()), default=0)
    cut = f"it is cut off: {there:,} of {needed:,} bytes" if there < needed else ""
    return Header({k: Shape(tuple(v["shape"]), DTYPES.get(v["dtype"], str(v["dtype"]))) for k, v in tensors.items()}, cut=cut)


def _sharded(path: Path) -> Header:
    try:
        files = sorted(set(json.loads(path.read_text())["weight_map"].values()))
    except (json.JSONDecodeError, KeyError, AttributeError) as error:
        raise ValueError("it is no list of shards") from error
    parts = [read_header(path.parent / name) for name in files]
    entries = {k: v for part in parts for k, v in part.entries.items()}
    return Header(entries, sorted({f for p in parts for f in p.foreign}), next((p.cut for p in parts if p.cut), ""))
