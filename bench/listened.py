"""What judges heard, read back: the arrays of one side by judge, with those of trimmed clips in front."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.errors import Failed
from bench.ragged import Ragged


@dataclass(frozen=True)
class Listened:
    """One judge, one side. `arrays` go by clip id; `trimmed`, by the generated clip's id, win where they have one."""

    judge: str
    arrays: Mapping[str, Ragged]
    classes: tuple[str, ...] = ()
    trimmed: Mapping[str, Ragged] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()  # clips of which there is no sound for a reason that was told

    @property
    def ids(self) -> list[str]:
        return list(next(iter(self.arrays.values())))

    def of(self, key: str, clip: str) -> dict[str, np.ndarray]:
        """The arrays of one clip, as part of the pair whose generated clip is `key`."""
        return {
            name: np.asarray(self.trimmed[name][key] if key in self.trimmed.get(name, ()) else whole[clip])
            for name, whole in self.arrays.items()
        }


def open_all(folders: Iterable[Path]) -> dict[str, Listened]:
    """{judge: what it heard} from folders of the stage `judge`, in their order; clips heard at another length join the rest."""
    found: dict[str, Listened] = {}
    trimmed: dict[str, dict[str, Ragged]] = {}
    for folder in folders:
        told = json.loads((folder / "heard.json").read_text())
        arrays = {name: Ragged(folder, name) for name in told["provides"]}
        if told["trimmed"]:
            trimmed[told["judge"]] = arrays
        elif told["judge"] in found:
            raise Failed(f"two folders of what {told['judge']} heard on one side: {folder.name} is the second")
        else:
            found[told["judge"]] = Listened(
                told["judge"], arrays, tuple(told["classes"]), left_out=frozenset(told.get("left_out", ()))
            )
    return {name: replace(side, trimmed=trimmed.get(name, {})) for name, side in found.items()}
