"""What a folder or file of weights is, by content: paths name nothing, bytes do."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path


class Weights(str):
    """A setting that says where weights lie, known in keys by what lies there."""

    def place(self) -> Path:
        return placed(self)

    def identity(self) -> dict[str, str]:
        return {"weights": content(self.place())}


def placed(path: str) -> Path:
    """Where `path` lies: as it stands, or below the folder that the environment variable BENCH_WEIGHTS names."""
    plain, root = Path(path).expanduser(), os.environ.get("BENCH_WEIGHTS", "")
    below = Path(root).expanduser() / plain
    return below if root and not plain.is_absolute() and not plain.exists() and below.exists() else plain


def content(path: Path) -> str:
    """Sixteen hex digits of all bytes at `path` (a file, or every file below a folder but cards and made.json)."""
    if path.is_file():
        return sha256(path)[:16]
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.name not in ("card.json", "made.json"))
    told = "".join(f"{p.relative_to(path)}\0{sha256(p)}\n" for p in files)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def sha256(path: Path) -> str:
    """sha256 of a file, remembered by path, size and time: small ones by this process, large ones on disk, as gigabytes take a minute."""
    about = path.stat()
    if about.st_size < 1 << 26:
        return _small(path.resolve(), about.st_size, about.st_mtime_ns)
    memory = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "melqcd-bench" / "sha256.json"
    known = json.loads(memory.read_text()) if memory.exists() else {}
    key = f"{path.resolve()} {about.st_size} {about.st_mtime_ns}"
    if key not in known:
        with open(path, "rb") as file:
            known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        memory.parent.mkdir(parents=True, exist_ok=True)
        draft = memory.with_name(f".{memory.name}.{os.getpid()}")
        draft.write_text(json.dumps(known, indent=1) + "\n")
        os.replace(draft, memory)
    return known[key]


@cache
def _small(path: Path, size: int, time_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
