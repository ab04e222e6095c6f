"""The built-in procedural world: 15 everyday gestures, rendered to AVSync15's layout. Listing it renders nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

from bench.data.base import Data, Item, in_val

PoolName = Literal["bench", "backbone", "judges"]


WORLD = "Procedural world: not comparable with published values."  # stands beside every number made on it


@dataclass(frozen=True)
class Lab(Data):
    """Clips that exist by their number: the first 150 of `test=600` are the clips of `test=150`."""

    rendered: ClassVar[bool] = True

    test: int = 150  # clips of the test split, ten a class as in AVSync15; 600 makes sharper tables
    train: int = 1350  # clips of the training split, 90 a class as in AVSync15; a tenth of them are val
    seed: int = 0  # of the world; other seeds share no clip
    pool: PoolName = "bench"  # backbone and judges train the lab's networks; no clip is in two pools
    clips: int = 0  # at most this many of each split; 0: all
    root: str = ""  # where it is rendered; empty: the store keeps it. Never part of a key

    def __post_init__(self) -> None:
        for name in ("test", "train", "seed", "clips"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not self.test and not self.train:
            raise ValueError("test and train are both 0: the lab would be empty; try test=150")
        if self.pool not in get_args(PoolName):
            raise ValueError(f"no pool {self.pool!r} of the lab; known: {', '.join(get_args(PoolName))}")

    def counts(self) -> dict[str, int]:
        """Clips of each split as the folder lists them; val is part of train."""
        return {split: min(n, self.clips or n) for split, n in (("train", self.train), ("test", self.test))}

    def items(self) -> list[Item]:
        """Every clip, sorted by id; `video` is where `bench.stages.world` renders it below `root`."""
        from bench.lab.world import plan

        found = []
        for split, count in self.counts().items():
            for index in range(count):
                made = plan(self, split, index)
                part = "val" if split == "train" and in_val(made.id) else split
                found.append(Item(made.id, part, made.kind.prompt, Path(self.root) / made.path))
        return sorted(found, key=lambda item: item.id)

    def identity(self) -> dict:
        """What decides every byte: the counts, seed and pool, and the version of the world."""
        from bench.lab.world import VERSION

        return {"world": VERSION, "seed": self.seed, "pool": self.pool, **self.counts()}
