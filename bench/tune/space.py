"""What a study searches: settings as Hydra writes sweeps, `control.bound=range(1,4)` or `predictor.training.rate=interval(1e-5,1e-3)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from bench.errors import Refused

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Value = int | float | str | bool
Setting = dict[str, Value]  # a value for each searched word, by the word's name
MOST = 200  # settings of a space that are all composed before any of them runs, at about 0.1 s each


@dataclass(frozen=True)
class Dimension:
    """One searched word: `values` in their order, or anything between low and high."""

    name: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: int = 0  # of whole numbers that are evenly spaced, which a sampler may take as near and far; 0: names without order

    @property
    def short(self) -> str:
        """As a table prints it."""
        return self.name.rpartition(".")[2]

    def distribution(self) -> BaseDistribution:
        from optuna import distributions as d

        if not self.values:
            return d.FloatDistribution(self.low, self.high, log=self.log)
        if self.step:
            return d.IntDistribution(int(self.values[0]), int(self.values[-1]), step=self.step)
        return d.CategoricalDistribution(self.values)

    def suggest(self, trial: Trial) -> Value:
        """The value that the study's sampler chose for `trial`; from then on every worker can see it."""
        if not self.values:
            return trial.suggest_float(self.name, self.low, self.high, log=self.log)
        if self.step:
            return trial.suggest_int(self.name, int(self.values[0]), int(self.values[-1]), step=self.step)
        return trial.suggest_categorical(self.name, self.values)  # type: ignore[return-value]


@dataclass(frozen=True)
class Space:
    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> int | None:
        """How many settings there are; None where a word may be any number of an interval."""
        return prod(len(d.values) for d in self.dimensions) if all(d.values for d in self.dimensions) else None

    def settings(self) -> list[Setting]:
        """Every setting of a finite space, the last word changing fastest."""
        return [dict(zip(self.names, values, strict=True)) for values in product(*(d.values for d in self.dimensions))]

    @property
    def names(self) -> list[str]:
        return [d.name for d in self.dimensions]

    def of(self, params: Mapping[str, Value]) -> Setting | None:
        """The setting that a trial's parameters are; None while one of them is not chosen yet."""
        return {n: params[n] for n in self.names} if all(n in params for n in self.names) else None

    def key(self, setting: Setting) -> tuple[Value, ...]:
        return tuple(setting[n] for n in self.names)


def words(setting: Setting) -> list[str]:
    """What a setting is on the command line."""
    return [f"{name}={value}" for name, value in setting.items()]


def read(lines: Sequence[str]) -> Space:
    """The space of words with several values; Refused naming a word that has none."""
    found = [_dimension(line) for line in lines]
    names = [d.name for d in found]
    if len(set(names)) < len(names):
        raise Refused(f"space: {next(n for n in names if names.count(n) > 1)} is searched twice")
    return Space(tuple(found))


def _dimension(line: str) -> Dimension:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
    from hydra.errors import HydraException

    wanted = f"{line}: write NAME=range(1,4), NAME=choice(8,16), NAME=interval(0,1) or NAME=tag(log,interval(1e-5,1e-3))"
    try:
        override = OverridesParser.create().parse_override(line)
    except HydraException as error:
        raise Refused(wanted) from error
    name, sweep = override.get_key_element(), override.value()
    if isinstance(sweep, IntervalSweep):
        low, high, log = float(sweep.start or 0), float(sweep.end or 0), "log" in sweep.tags
        if low >= high or (log and low <= 0):
            raise Refused(f"{line}: an interval goes from low to high{', above 0 where it is logarithmic' if log else ''}")
        return Dimension(name, low=low, high=high, log=log)
    if not isinstance(sweep, ChoiceSweep | RangeSweep):
        raise Refused(wanted)
    texts = list(override.sweep_string_iterator())
    values = tuple(_typed(text) for text in texts)
    if not values or len(set(values)) < len(values):
        raise Refused(f"{line}: {'the same value twice' if values else 'no value at all'}")
    steps = {b - a for a, b in zip(values, values[1:], strict=False)} if all(type(v) is int for v in values) else set()  # type: ignore[operator]
    even = isinstance(sweep, RangeSweep) and len(steps) == 1 and min(steps) > 0
    return Dimension(name, values, step=int(min(steps)) if even else 0)


def _typed(text: str) -> Value:
    """A number where the text is one: the words that a setting becomes are the same."""
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text:
            return value
    return text
