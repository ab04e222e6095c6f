"""A `clips` artefact as stages read it: rows by split, waves and picture times by id, batches for a control."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.ragged import Ragged

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Clip:
    id: str
    split: str
    label: str  # "" where nobody has said
    seconds: float
    video: Path | None


class Clips:
    """`Clips(folder)`; `root` is where the files lie now, if not where they were decoded."""

    def __init__(self, folder: Path, root: Path | None = None):
        self.folder = Path(folder)
        facts = json.loads((self.folder / "facts.json").read_text())
        self.rate: int = facts["rate"]
        self.root = root or Path(facts["root"])

    @cached_property
    def rows(self) -> dict[str, Clip]:
        with open(self.folder / "clips.csv", newline="", encoding="utf-8") as file:
            return {
                r["id"]: Clip(
                    r["id"], r["split"], r["label"], float(r["seconds"]), self.root / r["video"] if r["video"] else None
                )
                for r in csv.DictReader(file)
            }

    def ids(self, *splits: str) -> list[str]:
        """Ids of the clips in any of `splits`, sorted; of all clips when none is named."""
        return sorted(id for id, clip in self.rows.items() if not splits or clip.split in splits)

    @cached_property
    def waves(self) -> Ragged:
        return Ragged(self.folder, "wave")

    @cached_property
    def times(self) -> Ragged:
        return Ragged(self.folder, "times")

    def batch(self, ids: Sequence[str], *, starts: Iterable[int] | None = None, samples: int = 0) -> tuple[Tensor, Tensor]:
        """(wave [B, N] float32, lengths [B]): whole clips padded with zeros, or `samples` of each from `starts` on."""
        import torch

        firsts = list(starts) if starts is not None else [0] * len(ids)
        parts = [self.waves[i][a : a + samples if samples else None] for i, a in zip(ids, firsts, strict=True)]
        lengths = torch.tensor([len(p) for p in parts])
        wave = torch.zeros(len(ids), samples or int(lengths.max()))
        for row, part in enumerate(parts):
            wave[row, : len(part)] = torch.from_numpy(np.array(part))
        return wave, lengths
