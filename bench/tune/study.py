"""The file of a study: fixed words, the words that are searched, what is best, what is allowed, how it is searched and how long."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench import shelf
from bench.errors import Refused, near
from bench.tune import space

Sampling = Literal["grid", "tpe"]
Better = Literal["lower", "higher"]
KEYS = {
    **{"about": str, "common": str, "space": list, "objectives": list, "constraints": list},
    **{"sampler": str, "trials": int, "seed": int},
}
FACTS = ("codes", "bits_per_slot", "reals_per_slot")  # of a control before anything is made (bench.cost.nominal)


@dataclass(frozen=True)
class Objective:
    """A number of one run. value: a metric (its id, or the id's first part), or the dotted path of a number in the record."""

    name: str
    words: tuple[str, ...]  # of this run, after those of the setting: predicted=none
    value: str
    better: Better
    scale: float = 1.0  # of the printed number
    digits: int = 3


@dataclass(frozen=True)
class Constraint:
    """value: one of FACTS, then no other setting is tried; or the dotted path of a number in a record, then it is off the front."""

    value: str
    at_most: float

    @property
    def before(self) -> bool:
        """Known before anything runs."""
        return self.value in FACTS


@dataclass(frozen=True)
class Study:
    name: str
    about: str
    common: tuple[str, ...]  # fixed words
    space: space.Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    sampler: Sampling = "grid"
    trials: int = 0  # in all, however many workers and however often it is started again; 0: every setting of the space
    seed: int = 0  # of the sampler

    def __post_init__(self):
        if self.trials < 0:
            raise Refused(f"trials must be 0 (every setting) or more, got {self.trials}")
        if self.space.size is None and (self.sampler == "grid" or not self.trials):
            lacks = "sampler: grid" if self.sampler == "grid" else "trials: 0"
            raise Refused(f"{lacks} needs a finite space; an interval is searched with sampler: tpe and a number of trials")

    def tells(self) -> dict[str, Any]:
        """What a value of this study means: two commands may only share a study where this is equal."""
        return {
            "words": sorted(w for w in self.common if not w.startswith("machine")),
            "space": [[d.name, list(d.values), d.low, d.high, d.log] for d in self.space.dimensions],
            "objectives": [[list(o.words), o.value, o.better] for o in self.objectives],
            "constraints": [[c.value, c.at_most] for c in self.constraints],
        }


def read(name: str, extra: Sequence[str] = (), *, trials: int | None = None) -> Study:
    """The study file `name`; `extra` words take the place of those of the same name. Refused naming file and key.

    A study is scored on val: `split=test` is refused, for a setting that was chosen on test has no test left.
    """
    from bench.settings import site_words

    path = shelf.find("sweeps/studies", name)
    told = shelf.read(path, KEYS, needed=("about", "space", "objectives"))
    try:
        given = [*site_words(), *shlex.split(told.get("common", "")), *extra]
        common = list({word.partition("=")[0]: word for word in given}.values())
        searched = space.read([_text(line) for line in told["space"]])
        objectives = tuple(_objective(given) for given in told["objectives"])
        for word in [*common, *searched.names, *(w for o in objectives for w in o.words)]:
            if word.partition("=")[0] == "split" and word != "split=val":
                raise Refused(f"{word}: a study is scored on val; score the settings it finds on test afterwards, once")
        for word in common:
            if word.partition("=")[0] in searched.names:
                raise Refused(f"{word}: the study searches this word; take it out of the space to fix it")
        if not searched.dimensions or not objectives:
            raise Refused("space and objectives must not be empty")
        sampler = told.get("sampler", "grid")
        if sampler not in ("grid", "tpe"):
            raise Refused(f"sampler: {sampler!r}.{near(sampler, ('grid', 'tpe'))}")
        return Study(
            path.stem, told["about"], (*common, *([] if "split=val" in common else ["split=val"])), searched, objectives,
            tuple(_constraint(given) for given in told.get("constraints", [])),
            sampler, told.get("trials", 0) if trials is None else trials, told.get("seed", 0),
        )  # fmt: skip
    except Refused as error:
        raise Refused(f"{path}: {error}") from error


def _text(line) -> str:
    if not isinstance(line, str):
        raise Refused(f"space are words such as control.bound=range(1,4), got {line!r}")
    return line


def _objective(given) -> Objective:
    keys = ("name", "words", "value", "better")
    if not isinstance(given, dict) or not {"value"} <= set(given) <= set(keys):
        raise Refused(
            f"an objective has value (a metric) and may have {', '.join(k for k in keys if k != 'value')}; got {given!r}"
        )
    words, value, better = tuple(shlex.split(given.get("words", ""))), str(given["value"]), given.get("better")
    if "." in value and value.partition(".")[0] in ("facts", "scores"):
        if better not in ("lower", "higher"):
            raise Refused(f"objective {value}: better must be lower or higher")
        return Objective(given.get("name", f"{value.rpartition('.')[2]}, {' '.join(words)}"), words, value, better)
    metric = _metric(value)
    if better not in (None, metric.better):
        raise Refused(f"objective {value}: {metric.label} is better when {metric.better}; leave `better` out")
    name = given.get("name", f"{metric.label}, {' '.join(words)}" if words else metric.label)
    return Objective(name, words, value, metric.better, metric.scale, metric.digits)


def _metric(value: str):
    from bench.metrics import METRICS
    from bench.report.spec import metric

    exact = METRICS.get(value) or next((m for m in METRICS.values() if _is(m.id, value)), None)
    return exact or metric(value)


def _is(id: str, value: str) -> bool:
    """Whether `value` is the metric id with some judge's name in its place."""
    head, judged, _ = id.partition("{judge}")
    return bool(judged) and value.startswith(head) and "." not in value[len(head) :] and len(value) > len(head)


def _constraint(given) -> Constraint:
    try:
        value, most = str(given["value"]), float(given["at_most"])  # a text too: YAML reads 2e9 as one
    except (TypeError, KeyError, ValueError) as error:
        raise Refused(f"a constraint has value and at_most (a number), got {given!r}") from error
    if value not in FACTS and not value.startswith(("facts.", "scores.", "made.")):
        raise Refused(f"constraint {value!r} is neither the path of a number in a record nor known before.{near(value, FACTS)}")
    return Constraint(value, most)
