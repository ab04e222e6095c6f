"""What a setting is worth: the runs of its objectives as `bench sweep` makes them, each with an ordinary record."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from bench import cost, sweep
from bench.errors import Failed, Refused
from bench.metrics import column_ids
from bench.settings import compose
from bench.store import Store
from bench.tune.space import Setting, words
from bench.tune.study import FACTS, Constraint, Objective, Study
from bench.tune.work import Outcome


@dataclass(frozen=True)
class Runs:
    """`runs(setting)`: made where there is no record of exactly these runs yet, told from the records otherwise."""

    plan: Study
    store: Store
    results: Path

    def __call__(self, setting: Setting) -> Outcome:
        lines = self.lines(setting)
        runs = _composed(lines)
        swept = sweep.sweep(list(dict.fromkeys(runs)), {}, self.store, self.results)
        if swept.failed:
            raise Failed("; ".join(f"{name}: {why}" for name, why in swept.failed.items()))
        records = [json.loads((self.results / f"{run.row.id}.json").read_text()) for run in runs]
        found = [_found(record, objective) for record, objective in zip(records, self.plan.objectives, strict=True)]
        facts = cost.nominal(runs[0].row.x.control, runs[0].row.x.scale.rate_frames / runs[0].row.x.step)
        return Outcome(
            values=tuple(value for value, _ in found),
            constraints={c.value: _over(c, records, facts) for c in self.plan.constraints},
            told={
                "records": [record["id"] for record in records],
                "intervals": [interval for _, interval in found],
                "lines": [" ".join(line.words) for line in lines],
                **{name: facts[name] for name in FACTS},
            },
        )

    def lines(self, setting: Setting) -> list[sweep.Line]:
        """The words of each objective's run."""
        return lines(self.plan, setting)

    def allowed(self, setting: Setting) -> bool:
        """False for a setting that a constraint excludes before anything runs. Refused where it is no experiment at all."""
        line = self.lines(setting)[0]
        try:
            x, _ = compose(*line.words, site=False)
        except Refused as error:
            raise Refused(f"{' '.join(line.words)}: {error}") from error
        facts = cost.nominal(x.control, x.scale.rate_frames / x.step)
        return all(facts[c.value] <= c.at_most for c in self.plan.constraints if c.before)


def lines(plan: Study, setting: Setting) -> list[sweep.Line]:
    """What stands after `bench run` for each objective; a word that is said twice holds its last value."""

    def told(objective: Objective) -> tuple[str, ...]:
        every = [*plan.common, *words(setting), *objective.words]
        return tuple({word.partition("=")[0]: word for word in every}.values())

    return [sweep.Line(told(objective)) for objective in plan.objectives]


def _composed(lines: Sequence[sweep.Line]) -> list[sweep.Run]:
    """A run for each line, the same one where two lines are one experiment."""
    found = []
    for line in lines:
        runs, _, bad = sweep.composed([line])
        if bad:
            raise Refused(f"{' '.join(line.words)}: {bad[line]}")
        found.append(next((run for run in found if run.row.id == runs[0].row.id), runs[0]))
    return found


def _found(record: dict[str, Any], objective: Objective) -> tuple[float, list[float | None]]:
    """An objective's value in a record, with its 95 % interval where there is one; Failed where there is no number."""
    if objective.value.startswith(("facts.", "scores.")):
        return _number(record, objective.value), [None, None]
    scores = record["scores"]
    id = objective.value if objective.value in scores else _column(scores, objective.value)
    told = scores.get(id, {})
    if told.get("value") is None:
        raise Failed(f"{objective.value} has no value: {told.get('why', 'no judge of this run gives it')}")
    return told["value"], [told.get("low"), told.get("high")]


def _column(scores: dict[str, Any], short: str) -> str:
    """Which id of a record the column that begins with `short` has."""
    return next((id for metric, id in column_ids(scores).items() if metric.partition(".")[0] == short), short)


def _over(constraint: Constraint, records: list[dict[str, Any]], facts: dict[str, Any]) -> float:
    """How far a constraint is exceeded: kept where 0 or less. Of what is known before, in powers of ten, for such counts are huge."""
    if constraint.before:
        value = facts[constraint.value]
        return math.log10(value / constraint.at_most) if value and constraint.at_most > 0 else value - constraint.at_most
    return max(_number(record, constraint.value) for record in records) - constraint.at_most


def _number(record: dict[str, Any], path: str) -> float:
    """The number at a dotted path whose keys may hold dots themselves (`scores.onset_acc.condfoley.value`)."""

    def down(at: list[tuple[Any, str]], part: str) -> list[tuple[Any, str]]:
        """Every way to read the path so far: (what was reached, the key that is still open)."""
        ways = []
        for value, key in at:
            key = f"{key}.{part}" if key else part
            if isinstance(value, dict):
                ways += [(value, key), *([(value[key], "")] if key in value else [])]
        return ways

    ends = [value for value, key in reduce(down, path.split("."), [(record, "")]) if not key]
    if not ends or isinstance(ends[0], bool) or not isinstance(ends[0], int | float):
        raise Failed(f"record {record['id']} has no number at {path}")
    return float(ends[0])
