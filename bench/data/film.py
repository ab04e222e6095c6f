"""One video that somebody wants sound for: `bench generate` makes each by itself."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.data.base import Data, Item


@dataclass(frozen=True)
class Film(Data):
    """The video at `path` is the one clip of split test, known by its content: what it is called and where it lies changes nothing.

    Its noise follows from its id, and so from its content: the same video gets the same sound alone and among others.
    """

    silent: ClassVar[bool] = True

    path: str  # of the video; never part of a key
    sha256: str  # of its bytes
    max_bad: float = 0.0  # a video that cannot be used is an error

    @classmethod
    def of(cls, video: Path, places: Path) -> Film:
        """`video` under the name of its content in the folder `places`: a link, renewed, for the artefacts of an old one name it so."""
        with open(video, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        places.mkdir(parents=True, exist_ok=True)
        link = places / f"{sha256[:16]}.video"
        draft = places / f".{link.name}.{os.getpid()}"
        draft.symlink_to(video.resolve())
        os.replace(draft, link)
        return cls(str(link.absolute()), sha256)

    def items(self) -> list[Item]:
        return [Item(self.sha256[:16], "test", None, Path(self.path))]

    def identity(self) -> dict:
        return {"sha256": self.sha256}
