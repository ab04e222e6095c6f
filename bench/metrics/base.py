"""What a metric is to the harness: its name, what it needs to be known, and a pure function of a pair of clips or of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from numpy.typing import NDArray

Valued = tuple[float, str]  # value and status: ok, undefined, penalised


@dataclass(frozen=True)
class Pair:
    """One generated clip beside its real one, as one judge heard both."""

    clip: str
    real: Mapping[str, NDArray]  # the judge's arrays of the real clip, by name
    made: Mapping[str, NDArray]
    sample: int = 0  # which of several generated clips
    label: int | None = None  # position of the clip's label in the judge's list of classes
    among: frozenset[int] = frozenset()  # positions of all labels of the evaluation set
    kept: dict[Any, Any] = field(default_factory=dict, compare=False)

    def once(self, key, make: Callable[[], Any]):
        """`make()`, remembered under `key`: what several metrics of one pair share."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]


@dataclass(frozen=True)
class Metric:
    """kind "mean": `of(pair)` gives (value, status), and the score is the mean over clips of the samples' means.
    kind "set": `of(pairs)` gives the score itself, a statistic of all pairs at once.

    Values are fractions or in `unit`; only a report multiplies by `scale`.
    """

    id: str  # definition and judge are part of it; "{judge}" stands for the judge's name until `by` fills it in
    label: str  # as a table prints it
    group: Literal["Quality", "Synchronization", "Semantic"]
    better: Literal["higher", "lower"]
    unit: str  # of the printed number: "%", "s", "nats" or ""
    digits: int  # printed after the point
    range: tuple[float, float]  # of the value, before scaling
    needs: tuple[str, ...]  # arrays of the judge: "made.onsets", "real.logits"; "label" for a clip's class
    kind: Literal["mean", "set"]
    of: Callable[..., Any]
    column: bool = False  # one of the eight of the paper's Table 1
    chance: bool = True  # compare with other clips' generated sound beside it
    ceiling: bool = False  # the real sound in the place of the generated one says what can be reached

    @property
    def scale(self) -> float:
        return 100.0 if self.unit == "%" else 1.0

    @property
    def heading(self) -> str:
        return self.label + {"lower": " ↓", "higher": " ↑"}[self.better]

    def by(self, judge: str) -> Metric:
        """This metric as judged by `judge`."""
        return replace(self, id=self.id.replace("{judge}", judge))

    def lacks(self, provided: Sequence[str] | frozenset[str]) -> list[str]:
        """The arrays that a judge which provides `provided` does not give; no name twice."""
        wanted = dict.fromkeys(need.partition(".")[2] for need in self.needs if "." in need)
        return [name for name in wanted if name not in provided]
