"""AVSync15: videos/CLASS/FILE.mp4, train.txt, test.txt and class_mapping.json (Audio-Synchronized Visual Animation)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.data.base import Item
from bench.data.files import File, Listed, lines
from bench.data.ids import stem
from bench.errors import Refused


@dataclass(frozen=True)
class AVSync15(Listed):
    """1,350 training and 150 test clips of 15 classes, as published; an id is the file's name without its suffix.

    The label is the class's text in class_mapping.json, otherwise the folder's name with spaces.
    """

    holds: ClassVar[str] = "AVSync15 (it holds videos/, train.txt and test.txt)"

    def listed(self, root: Path, files: list[File]) -> list[Item]:
        texts = mapping(root / "class_mapping.json")
        found = []
        for split in ("train", "test"):
            for line in lines(root / f"{split}.txt"):
                kind, _, name = line.partition("/")
                if not name or ".." in Path(line).parts or line.startswith("/"):
                    raise Refused(f"{root / split}.txt: {line!r} is not CLASS/FILE.mp4")
                label = texts.get(kind) or re.sub("_+", " ", kind)
                found.append(Item(stem(name), split, label, root / "videos" / line))
        return found


def mapping(path: Path) -> dict[str, str]:
    """A JSON object of texts; {} where there is no such file."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise Refused(f'{path} must be an object of texts: {{"name": "text"}}')
    return found
