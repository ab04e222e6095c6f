"""Weights on disk: what a folder or file of them is, by content, and where the lab's own lie."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from bench.errors import Refused

LAB = Path(__file__).resolve().parent / "lab" / "weights"
SHIPPED = LAB.parent / "shipped"  # a read-only store: artefacts of the lab's first runs, made by the same stages


def weights(path: str, what: str, *, default: Path | None = None) -> Path:
    """The file or folder `path`, or `default` where it is empty; Refused naming the setting that should say where."""
    if not path and default is None:
        raise Refused(f"{what} needs its weights: write {what}.path=FILE_OR_FOLDER")
    found = Path(path).expanduser() if path else default
    assert found is not None
    if not found.exists():
        raise Refused(
            f"{what}.path: {found} does not exist"
            if path
            else f"the lab's weights are not at {found}: `bench lab build` makes them"
        )
    return found


def content(path: Path) -> str:
    """Sixteen hex digits of all bytes at `path` (a file, or every file below a folder but cards and made.json)."""
    if path.is_file():
        return _sha(path)[:16]
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.name not in ("card.json", "made.json"))
    told = "".join(f"{p.relative_to(path)}\0{_sha(p)}\n" for p in files)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _sha(path: Path) -> str:
    """sha256 of a file; large ones are remembered by path, size and time, as hashing gigabytes takes a minute."""
    about = path.stat()
    if about.st_size < 1 << 26:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    memory = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "melqcd-bench" / "sha256.json"
    known = json.loads(memory.read_text()) if memory.exists() else {}
    key = f"{path.resolve()} {about.st_size} {about.st_mtime_ns}"
    if key not in known:
        with open(path, "rb") as file:
            known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        from bench.store import write_json

        memory.parent.mkdir(parents=True, exist_ok=True)
        write_json(memory, known)
    return known[key]
