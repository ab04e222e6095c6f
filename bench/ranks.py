"""The processes of one torchrun on one chain: they share every training, and of all else the first that comes makes it.

    torchrun --standalone --nproc-per-node 4 -m bench run control=melqcd

Rank 0 keeps the records and prints. A training's batch is the same however many processes share it (melqcd/training.py).
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.context import Context, ranks
from bench.errors import Failed, Stopped
from bench.store import Stage

if TYPE_CHECKING:
    from bench.store import Store


def together(store: Store, name: str, stage: Stage, parts: tuple) -> Path:
    """The artefact `name`, which all processes make: rank 0 as it makes any other, the rest into folders that are thrown away.

    Raises Failed where rank 0 did not begin: its own message says why.
    """
    from melqcd.processes import join

    group = join()
    met = _Met(stage.name, stage.place, stage.version, group=group)
    if store.ctx.rank == 0:
        try:
            return store.alone(name, met, parts)
        finally:
            if not met.begun:  # it is there by now, or failed before
                group.any(False)
    if group.any(False):
        with tempfile.TemporaryDirectory() as spare:
            met.go(Path(spare), store.root / f"{name}.part", store.ctx, *parts)
    elif not store.find(name).exists():
        raise Failed(f"{name} was not begun by the first process, which says why")
    return store.find(name)


@dataclass(frozen=True)
class _Met(Stage):
    """A stage that the processes begin and end together."""

    group: Any = None
    begun: list[bool] = field(default_factory=list)

    def __call__(self, out: Path, part: Path, ctx: Context, *parts) -> None:
        self.begun.append(self.group.any(True))
        self.go(out, part, ctx, *parts)

    def go(self, out: Path, part: Path, ctx: Context, *parts) -> None:
        try:
            super().__call__(out, part, ctx, *parts)
        except InterruptedError as error:  # another process was asked to stop
            raise Stopped(str(error)) from error
        self.group.wait()  # until all are done: the folder of checkpoints goes then


@contextmanager
def spoken_by_one() -> Iterator[None]:
    """Around a command: of several processes the first alone prints, and all leave together."""
    rank, world = ranks()
    if world == 1:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if rank else sys.stdout):
        yield
    from melqcd.processes import leave

    leave()
