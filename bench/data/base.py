"""A data set on disk: which clips there are, in which split, with which label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Item:
    """One clip as the data set lists it; nothing of it has been opened."""

    id: str
    split: str  # train, val or test
    label: str | None  # the class's text, as it stands in a prompt: "playing violin fiddle"
    video: Path | None  # None: sound only
    audio: Path | None = None  # None: the video's own sound


@dataclass(frozen=True)
class Data(ABC):
    """A reader. Subclasses are frozen dataclasses; `root` never enters a key, what lies there does (`identity`)."""

    rendered: ClassVar[bool] = False  # True: a world that stage `world` makes; its folder becomes `root`
    silent: ClassVar[bool] = False  # True: videos to make sound for; their own, if they have any, is not looked at

    @abstractmethod
    def items(self) -> list[Item]:
        """Every listed clip, sorted by id. Raises Refused naming the file or row that cannot be read."""

    @abstractmethod
    def identity(self) -> dict:
        """What can change a number: the hash of ids, sizes and split lists, and the settings that choose among them."""


def in_val(id: str) -> bool:
    """A tenth of `train`, chosen by hash of the id: the same on every machine."""
    return int.from_bytes(sha256(id.encode()).digest()[:4], "big") % 10 == 0
