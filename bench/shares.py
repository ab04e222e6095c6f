"""Pieces of one artefact, made by as many processes as there are: each takes what nobody has made or is making, its own share first.

A piece is a file in the artefact's `.part` folder. Which pieces there are follows from the inputs alone, never from who makes them, so
the artefact that is joined from them is the same however many worked on it. A lock on a byte of one file says that a piece is being made:
the kernel drops it with the process, so what a killed one had begun is taken up by the next.
"""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.context import Context

CLIPS = 32  # a share of fewer is not worth a process of its own
POLL_S = 0.3  # between looks at pieces that others are making


def named(key: str, number: int, of: int) -> str:
    """What the job of a share is called: the artefact's name, then which share of how many."""
    return f"{key}.{number + 1}of{of}"


def whose(name: str) -> tuple[str, int, int] | None:
    """(artefact, number, of) of a share's name; None of an artefact's."""
    told = re.fullmatch(r"([^.]+)\.(\d+)of(\d+)", name)
    return (told[1], int(told[2]) - 1, int(told[3])) if told else None


@dataclass(frozen=True)
class Share:
    """Where one of `of` processes begins; `final` is there once all pieces have been joined."""

    number: int  # from 0
    of: int
    final: Path

    @property
    def over(self) -> bool:
        return self.final.exists()


class Pieces:
    """`count` pieces in `part`; `made(k)` tells whether piece k is there.

    with Pieces(part, ctx, count, made) as pieces:
        for some in pieces.rounds():
            for k in some:
                ...          # make piece k, whole and at once in its place
                pieces.done(k)

    Whoever has a share (`ctx.share`) ends when nothing is left to begin; who makes the whole artefact ends when every piece is there.
    """

    def __init__(self, part: Path, ctx: Context, count: int, made: Callable[[int], bool]):
        self.ctx, self.count, self.made = ctx, count, made
        first = ctx.share.number * count // ctx.share.of if ctx.share else 0
        self.left = dict.fromkeys([*range(first, count), *range(first)])
        for k in [k for k in self.left if made(k)]:
            del self.left[k]
        self._file = open(part / "claims", "a+b")  # one byte a piece; nothing is written

    def rounds(self) -> Iterator[Iterator[int]]:
        """Again and again an iterator of pieces to make, each locked until `done`."""
        while self.left and not self._over():
            yield self._claimed()
            if self.ctx.share is not None:
                return
            self.ctx.check()
            if self.left:
                time.sleep(POLL_S)

    def done(self, piece: int) -> None:
        """Piece `piece` is in its place: others may see so."""
        self.left.pop(piece, None)
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, piece)

    def _claimed(self) -> Iterator[int]:
        for piece in list(self.left):
            if self._over():
                return
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, piece)
            except OSError:  # EAGAIN or EACCES: another process makes it
                continue
            if self.made(piece):
                self.done(piece)
                continue
            if self._over():  # joined, and the pieces cleared away, between two looks
                return
            yield piece

    def _over(self) -> bool:
        return self.ctx.share is not None and self.ctx.share.over

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *_) -> None:
        self._file.close()  # drops every lock
