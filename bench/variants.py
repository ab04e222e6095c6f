"""`variant=released`: settings that go together, under one word. It is no setting itself: a run is what its settings are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Variant:
    """Words for the parts that a run has; a word of one's own for the same setting wins, wherever it stands."""

    # (group, the choice that has the settings, words); a part of every run, such as the predictor, has no choice: ""
    parts: ClassVar[tuple[tuple[str, str, tuple[str, ...]], ...]] = ()

    @classmethod
    def of(cls, chosen: dict) -> list[str]:
        """The words of those parts that `chosen` {group: choice} takes."""
        return [f"{part}.{word}" for part, choice, words in cls.parts if chosen.get(part, "") == choice for word in words]


@dataclass(frozen=True)
class Clean(Variant):
    """The paper's method read as it is written: hints composed once and aligned, no dropout when it generates, clips taught whole."""


@dataclass(frozen=True)
class Released(Variant):
    """The published Mel-QCD code where it departs from the paper (specification of checkpoints, 10): all of these at once."""

    parts = (
        ("control", "melqcd", ("composed=twice", "skew=24")),
        ("inversion", "adapter", ("live=true",)),
        ("predictor", "", ("supervised=0.25", "padding=target")),
        ("motion", "synchformer", ("black_to=256", "black=kept")),
    )
