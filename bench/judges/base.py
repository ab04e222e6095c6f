"""The interface of a judge: it listens to one folder of sounds and writes one array per clip and name; metrics compare two such folders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np

    from bench.context import Context
    from bench.judges.view import View


@dataclass(frozen=True)
class Judge(ABC):
    """A frozen listener. Subclasses are frozen dataclasses whose fields are their settings; a field that holds a path is declared with
    `metadata={"key": False}` and named by `weights`, whose content then enters the key. Networks run in float32, always.
    """

    name: ClassVar[str]  # as it stands in a metric's id: fid.melception
    version: ClassVar[int] = 1  # raised when equal sounds give other arrays
    trims: ClassVar[bool] = False  # True: hears both sides of a pair at one length

    @property
    @abstractmethod
    def provides(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """{array name: (dtype, shape of one row)}. Names that metrics know: onsets, extent, odf.CURVE, features, logits,
        audio_embedding, video_embedding. An array without rows says that this clip has no such thing.
        """

    @abstractmethod
    def listen(self, ctx: Context, sounds: View, out: Path) -> None:
        """Write the arrays of every clip of `sounds` to `out` (see `write`)."""

    def classes(self) -> tuple[str, ...]:
        """Names of the classes that `logits` are about, in their order; () for a judge without logits."""
        return ()

    def weights(self) -> Path | None:
        """The file or folder of weights, None for a judge without a network."""
        return None

    def identity(self) -> dict[str, Any]:
        """What can change a number: settings, version, and the weights by sha256."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.metadata.get("key", True)}
        place = self.weights()
        if place is None:
            return {"name": self.name, "version": self.version, "settings": kept}
        from bench.weights import content

        return {"name": self.name, "version": self.version, "settings": kept, "weights": content(place)}


def write(out: Path, judge: Judge, ids: Iterable[str], heard: Iterable[tuple[str, Mapping[str, np.ndarray]]]) -> None:
    """Store (id, arrays) as ragged arrays in the order of `ids`, in whatever order they come."""
    from bench.ragged import RaggedWriter

    waiting: dict[str, Mapping[str, np.ndarray]] = {}
    with ExitStack() as stack:
        made = {n: stack.enter_context(RaggedWriter(out, n, dtype=d, tail=t)) for n, (d, t) in judge.provides.items()}
        order = iter(ids)
        expected = next(order, None)
        for id, arrays in heard:
            waiting[id] = arrays
            while expected in waiting:
                arrays = waiting.pop(expected)
                for name, writer in made.items():
                    writer.add(expected, arrays[name])
                expected = next(order, None)
    if expected is not None:
        raise ValueError(f"the judge {judge.name} said nothing about {expected}")


def told_judges(judges: Iterable[Judge]) -> dict[str, str]:
    """{judge: digest of its settings and weights}, as a record keeps it: numbers of a judge that was taught again stand apart."""
    from bench.identity import digest

    return {judge.name: digest(judge) for judge in judges}


def describe(judge: Judge) -> dict[str, Any]:
    """What stands beside the arrays: who made them."""
    return {"judge": judge.name, "provides": list(judge.provides), "classes": list(judge.classes()), "identity": judge.identity()}
