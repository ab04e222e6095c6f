"""Names of clips: read from file names, safe to make file names of, and the source that they tell."""

from __future__ import annotations

import os
import re
import unicodedata

from bench.media.files import MEDIA


def stem(name: str) -> str:
    """A clip's id from its file's name: the last part without a media suffix (dots in ids stay), accents composed."""
    base = name.replace("\\", "/").rpartition("/")[2]
    head, suffix = os.path.splitext(base)
    return composed(head if suffix.lower() in MEDIA else base)


def composed(name: str) -> str:
    """`name` with accents as one character: macOS writes two, and the same name must be the same id everywhere."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def unsafe(id: str) -> str | None:
    """Why `id` cannot name files, or None: it becomes `ID.wav` in results. Spaces, quotes and any alphabet are fine."""
    if not id:
        return "is empty"
    if "/" in id or "\\" in id or id.startswith("."):
        return "would leave or hide in the results folder (it holds / or \\, or begins with a dot)"
    if not (id.isascii() and id.isprintable()) and any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in id):
        return "holds line breaks, control characters or bytes that are not UTF-8"
    if len(id.encode()) > 200:
        return f"is {len(id.encode())} bytes long, file systems allow about 200 before the suffix"
    return None


_ORIGIN = re.compile(r"([\w-]{11})_(\d+)(?:_(\d+)(?:_[\d.]+_[\d.]+)?)?", re.ASCII)


def origin(id: str) -> tuple[str, int] | None:
    """(YouTube id, start in whole seconds) of a clip named in one of the ways seen in the wild, or None.

    ID_START (seconds), ID_STARTms_ENDms, ID_START_END (seconds), and AVSync15's ID_START_END_T0_T1, whose start is VGGSound's.
    YouTube ids have 11 characters, `-` and `_` among them, so they are read by position.
    """
    m = _ORIGIN.fullmatch(id)
    if not m:
        return None
    start, end = int(m[2]), int(m[3] or 0)
    return m[1], start // 1000 if end - start >= 1000 else start
