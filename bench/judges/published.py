"""What judges with published weights share: where the weights lie, the names of their classes, one clip after the other."""

from __future__ import annotations

import csv
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import Refused
from bench.judges.base import Judge, write
from bench.weights import weights

if TYPE_CHECKING:
    import numpy as np

    from bench.context import Context
    from bench.judges.view import View

Hearing = Callable[["np.ndarray", "Path | None"], Mapping[str, "np.ndarray"]]


@dataclass(frozen=True)
class Published(Judge):
    """Hears one clip at a time, mono at `rate`. Subclasses say what `load` makes of a wave and a video."""

    path: str = field(default="", metadata={"key": False})  # of the published file (or folder); below $BENCH_WEIGHTS if relative
    allow_pickle: bool = field(
        default=False, metadata={"key": False}
    )  # open pickles of more than tensors; their code is never run

    rate: ClassVar[int] = 16000  # Hz
    sizes: ClassVar[Mapping[str, int]] = {}  # of the arrays that it gives

    @property
    def provides(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        return {name: ("float32", (n,)) for name, n in self.sizes.items()}

    def weights(self) -> Path:
        return weights(self.path, f"judges.{self.name}")

    @abstractmethod
    def load(self, device: str) -> Hearing:
        """The function from a wave [samples] and a video, or None, to arrays [rows, n] by name; called without gradients."""

    def listen(self, ctx: Context, sounds: View, out: Path) -> None:
        torch = ctx.torch()

        def told() -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
            with torch.inference_mode():
                try:
                    hear = self.load(ctx.device)
                except (ValueError, FileNotFoundError) as error:
                    raise Refused(f"judges.{self.name}.path: {error}") from error
                for id in ctx.track(sounds.ids, self.name):
                    yield id, hear(sounds.load(id, self.rate), sounds.video(id))
                    ctx.check()

        write(out, self, sounds.ids, told())


@dataclass(frozen=True)
class Classifier(Published):
    """A judge whose logits are of named classes."""

    # file of class names in the order of the logits: one a line; AudioSet's class_labels_indices.csv; vggsound.csv or stat.csv (sorted)
    labels: str = field(default="", metadata={"key": False})

    count: ClassVar[int] = 309

    def classes(self) -> tuple[str, ...]:
        if not self.labels:
            return ()
        found = class_names(weights(self.labels, f"judges.{self.name}.labels"))
        if len(found) != self.count:
            raise Refused(f"judges.{self.name}.labels: {self.labels} names {len(found)} classes, the network has {self.count}")
        return found

    def identity(self) -> dict[str, Any]:
        return super().identity() | ({"classes": list(self.classes())} if self.labels else {})


def class_names(path: Path) -> tuple[str, ...]:
    """The names in a list: the column display_name where there is one; of VGGSound's tables every label once, sorted; else the lines."""
    try:
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines(), skipinitialspace=True) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not a list of class names: {error}") from error
    if rows and "display_name" in rows[0]:
        return tuple(row[rows[0].index("display_name")] for row in rows[1:])
    if rows and len(rows[0]) == 4:  # vggsound.csv: youtube id, start, label, split
        return tuple(sorted({row[2] for row in rows}))
    if rows and len(rows[0]) > 1 and all(row[-1].strip().isdigit() for row in rows):  # stat.csv: label, how many
        return tuple(sorted({", ".join(row[:-1]) if len(row) > 2 else row[0] for row in rows}))
    return tuple(line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip())
