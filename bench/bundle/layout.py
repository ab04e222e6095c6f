"""What lies where in a bundle: a results folder (records, rows/) with the evidence beside it, every file listed with its digest.

ID.json, rows/ID.csv, rows/ID.without.json   as in any results folder: `bench report ... machine.results=BUNDLE` reads them
evidence/manifest.json                       format, files {path: {sha256, bytes}}, records {id: Evidence}, versions
evidence/manifest.sha256                     digest of the manifest
evidence/judge-KEY/                          what a judge heard: arrays as plain numbers, ids as JSON lines, heard.json
evidence/pairs-KEY.csv, labels-KEY.json      which generated clip belongs to which real one; {clip: label}
evidence/sound/ID/                           wav files, where they were asked for
Nothing in it is code, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import strangers
from bench.errors import Refused

FORMAT = 1
EVIDENCE = "evidence"
MANIFEST = f"{EVIDENCE}/manifest.json"
SEAL = f"{EVIDENCE}/manifest.sha256"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # of a folder or an array in the evidence
ROWS = 10**9  # of an array
ARRAY = ("values", "offsets.npy", "ids.txt", "json")  # suffixes of one ragged array


@dataclass(frozen=True)
class Evidence:
    """What one record's numbers were computed from, by name below evidence/; None for what was not at hand."""

    heard: tuple[str, ...] = ()  # folders of judges: the generated side
    real: tuple[str, ...] = ()
    pairs: str | None = None
    labels: str | None = None

    @property
    def whole(self) -> bool:
        return bool(self.heard and self.real and self.pairs)


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files(root: Path) -> list[str]:
    """Every file below `root`, by relative path; Refused naming a link or anything else that is no plain file or folder."""
    found = []
    for folder, subs, names in os.walk(root):
        for name in [*subs, *names]:
            path = Path(folder) / name
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise Refused(f"{path} is a link or no plain file: a bundle holds files alone")
        found += [(Path(folder) / name).relative_to(root).as_posix() for name in names]
    return sorted(found)


def manifest(root: Path) -> dict[str, Any]:
    """The manifest of the bundle at `root`, its types checked; Refused where it is none, or names anything outside the folder."""
    path = root / MANIFEST
    if not path.is_file() or path.is_symlink():
        raise Refused(f"{root} is no bundle: it has no {MANIFEST}")
    told = strangers.parsed(path)
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise Refused(f"{path}: format must be {FORMAT}")
    listed, records = told.get("files"), told.get("records")
    if not isinstance(listed, dict) or not isinstance(records, dict):
        raise Refused(f"{path}: files and records must be mappings")
    for name, about in listed.items():
        if not strangers.inside(name):
            raise Refused(f"{path}: {name[:200]!r} is no place in the bundle")
        if not isinstance(about, dict) or not isinstance(about.get("sha256"), str) or not isinstance(about.get("bytes"), int):
            raise Refused(f"{path}: {name[:200]!r} needs sha256 and bytes")
    for id, about in records.items():
        if not strangers.ID.fullmatch(id):
            raise Refused(f"{path}: {id[:40]!r} is no record's id")
        evidence(about, f"{path}: {id}")
    return told


def evidence(about: Any, where: str) -> Evidence:
    """`about` as Evidence; Refused for names that are none."""
    fine = isinstance(about, Mapping) and set(about) <= {"heard", "real", "pairs", "labels"}
    if not fine or not all(isinstance(about.get(key, []), list) for key in ("heard", "real")):
        raise Refused(f"{where}: needs heard and real (lists of folders), pairs and labels (files)")
    heard, real = (tuple(about.get(key, [])) for key in ("heard", "real"))
    single = [about.get(key) for key in ("pairs", "labels")]
    for name in [*heard, *real, *(n for n in single if n is not None)]:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise Refused(f"{where}: {str(name)[:80]!r} is no name below {EVIDENCE}/")
    return Evidence(heard, real, *single)


def check_heard(folder: Path) -> None:
    """Refuse, by name, what is not a judge's arrays: other types than numbers, odd shapes, indices that do not rise, ids that are no text."""
    told = strangers.parsed(folder / "heard.json")
    known = isinstance(told, dict) and isinstance(told.get("judge"), str) and isinstance(told.get("trimmed"), bool)
    if not known or not all(isinstance(told.get(key, []), list) for key in ("provides", "classes", "left_out")):
        raise Refused(f"{folder / 'heard.json'}: needs judge, provides, classes and trimmed")
    if not all(isinstance(c, str) for c in [*told["classes"], *told.get("left_out", [])]):
        raise Refused(f"{folder / 'heard.json'}: classes and left_out must be text")
    for name in told["provides"]:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise Refused(f"{folder / 'heard.json'}: {str(name)[:80]!r} is no array's name")
        for suffix in ARRAY:
            if not (folder / f"{name}.{suffix}").is_file():
                raise Refused(f"{folder}: {name}.{suffix} is missing")
        _check_array(folder, name)


def _check_array(folder: Path, name: str) -> None:
    head, where = strangers.parsed(folder / f"{name}.json"), folder / f"{name}.json"
    try:
        kind = np.dtype(head["dtype"])
        tail = [n for n in head["tail"] if isinstance(n, int) and 0 <= n <= ROWS]
        if kind.kind not in "fiu" or kind.itemsize > 8 or kind.names or len(tail) != len(head["tail"]) or len(tail) > 4:
            raise ValueError("must be rows of plain numbers")
        offsets = np.load(folder / f"{name}.offsets.npy", allow_pickle=False)
        if offsets.ndim != 1 or offsets.dtype != np.int64 or not len(offsets) or offsets[0] != 0 or (np.diff(offsets) < 0).any():
            raise ValueError("offsets must rise from 0")
        if offsets[-1] > ROWS:
            raise ValueError(f"more than {ROWS} rows")
    except (KeyError, TypeError, ValueError, EOFError, OSError) as error:
        raise Refused(f"{where}: {error}") from error
    for line, text in enumerate((folder / f"{name}.ids.txt").read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if len(text) > 4000 or not text.startswith('"'):
            raise Refused(f"{folder / f'{name}.ids.txt'}, line {line}: is no id in quotes")
