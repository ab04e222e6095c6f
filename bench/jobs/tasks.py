"""A sweep as artefacts to be made: what each run lacks, shared artefacts once, and what each waits for."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import artefacts
from bench.data.base import Data
from bench.errors import Refused
from bench.run import Row
from bench.shares import CLIPS, named
from bench.store import Store
from bench.sweep import Line, Run, differing, there


@dataclass(frozen=True)
class Task:
    """One artefact that does not exist, or a share of its pieces (`shares.named`), and a command line that leads to it."""

    key: str
    line: Line
    after: tuple[str, ...]  # the tasks that make its inputs

    @property
    def stage(self) -> str:
        return self.key.rpartition("-")[0]


@dataclass(frozen=True)
class Want:
    """One run: what it lacks, in the order of making."""

    id: str  # of its record
    name: str  # with the words by which it differs from the others
    line: Line
    scores: str
    needs: tuple[str, ...]


@dataclass
class Planned:
    """A sweep before anything is made."""

    wants: list[Want] = field(default_factory=list)  # runs without a record of their scores
    there: list[str] = field(default_factory=list)  # ids of the others
    broken: dict[str, tuple[Run, str, str]] = field(
        default_factory=dict
    )  # by id: runs of which no plan can be made, why, traceback
    tasks: dict[str, Task] = field(default_factory=dict)  # in an order in which they can be made
    asked: int = 0  # artefacts of every run, counted run by run
    distinct: int = 0


def products(row: Row, store: Store) -> tuple[Path, Path, list[Path]]:
    """(scores, films, what else is measured) of a run, asked of `store`."""
    measured = row.measured(store)
    scores = row.scores(store)
    films = store(artefacts.films, next(a.path for a in reversed(store.asked) if a.stage in ("sound", "reference")))
    return scores, films, measured


def planned(runs: Sequence[Run], root: Path, shipped: tuple[Path, ...], results: Path, shards: int = 1) -> Planned:
    """What the runs lack; makes nothing. shards: most processes for one artefact of many clips; then its own task joins what they made."""
    found, keys, varying = Planned(), set(), differing([run.line for run in runs])
    for run in runs:
        store = Store(root, dry=True, shipped=shipped)
        try:
            scores, films, measured = products(run.row, store)
        except Exception as error:  # as while sweeping: this run's record says why, and the others go on
            why = str(error) if isinstance(error, (Refused, RuntimeError)) else f"{type(error).__name__}: {error}"
            found.broken[run.row.id] = (run, why, "".join(traceback.format_exception(error)[-12:]))
            continue
        lacking = needs(store, scores, films, measured)
        used = {a.key for a in store.asked if a.stage != "cost"}
        found.asked += len(used)
        keys |= used
        if there(results, run.row, scores):
            found.there.append(run.row.id)
            continue
        found.wants.append(Want(run.row.id, run.label(varying), run.line, scores.name, tuple(lacking)))
        inputs = {a.key: a.parts for a in store.asked}
        for key in lacking:
            after = tuple(part for part in dict.fromkeys(inputs[key]) if part in lacking)
            if key in found.tasks:
                continue
            of = min(shards, clips_of(key, store) // CLIPS) if shards > 1 and store.known[key][0].shared else 1
            parts = [Task(named(key, number, of), run.line, after) for number in range(of)] if of > 1 else []
            found.tasks |= {task.key: task for task in parts}
            found.tasks[key] = Task(key, run.line, (*after, *(task.key for task in parts)))
    found.distinct = len(keys)
    return found


def clips_of(key: str, store: Store) -> int:
    """How many clips are listed by the data that `key` is made from, directly or by way of its inputs."""
    parts = store.known[key][1]
    data = next((part for part in parts if isinstance(part, Data)), None)
    if data is not None:
        return len(data.items())
    return max((clips_of(part.name, store) for part in parts if isinstance(part, Path) and part.name in store.known), default=0)


def needs(store: Store, scores: Path, films: Path, measured: Iterable[Path]) -> list[str]:
    """What has to be made for a run, in order: its scores and films, and of `measured` what then is at hand."""
    lacking = store.lacking(scores, films)
    for one in measured:
        more = [key for key in store.lacking(one) if key not in lacking]
        if more == [one.name]:
            lacking += more
    return lacking


def reachable(line: Line, key: str, store: Store) -> Path:
    """The artefact `key` of the deferred `store`, found again from the words that lead to it; Refused if they do not."""
    from bench.sweep import composed

    runs, _, bad = composed([line])
    if bad:
        raise Refused(f"{' '.join(line.words)}: {bad[line]}")
    products(runs[0].row, store)
    if key not in store.known:
        raise Refused(f"{key} is not part of {' '.join(line.words)}: code or data are others than when the sweep was planned")
    return store.find(key)
