"""Sounds that the store did not make: a user's folder, known by the content of its files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.errors import Refused

if TYPE_CHECKING:
    from bench.context import Context
    from bench.sounds import Sounds


@dataclass(frozen=True)
class Outside:
    """Clips `ids` of the folder `root`. Two folders with the same sounds under the same ids are the same to the store."""

    root: str = field(metadata={"key": False})
    ids: tuple[str, ...] = field(metadata={"key": False}, repr=False)
    sha256: str = ""  # of (id, content) of every file

    @classmethod
    def of(cls, sounds: Sounds, ids: list[str], ctx: Context) -> Outside:
        """Clips `ids` of `sounds`, every file read once to know its content; with a progress bar where that takes long."""
        told = hashlib.sha256()
        for id in ctx.track(ids, f"reading {sounds.folder.name}"):
            ctx.check()
            for file in dict.fromkeys(p for p in (sounds.entries[id].source, sounds.video(id)) if p is not None):
                try:
                    with open(file, "rb") as opened:
                        content = hashlib.file_digest(opened, "sha256").hexdigest()
                except OSError as error:
                    raise Refused(f"{file} cannot be read: {error.strerror}") from error
                told.update(f"{id!r} {content}\n".encode())
        return cls(str(sounds.folder), tuple(ids), told.hexdigest())

    def identity(self) -> dict[str, Any]:
        return {"sounds": self.sha256}
