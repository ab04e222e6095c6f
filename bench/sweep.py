"""`bench sweep`: the command lines of a file, composed before any of them runs; one that fails leaves a gap and stops no other."""

from __future__ import annotations

import json
import shlex
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import artefacts, shelf
from bench.errors import Refused, Stopped
from bench.identity import digest, told
from bench.planning import spoken
from bench.record import Record
from bench.run import Row, control_name, recorded
from bench.store import Store, packages

KEYS = {"about": str, "common": str, "runs": list, "references": list}


@dataclass(frozen=True)
class Line:
    """One command line of a sweep, as it would stand after `bench run`. reference: the true sound through VAE and vocoder instead."""

    words: tuple[str, ...]
    reference: bool = False


@dataclass(frozen=True)
class Run:
    """A line that composes."""

    line: Line
    row: Row

    def label(self, varying: set[str]) -> str:
        """Its name and the words by which it differs from the others of its sweep."""
        return f"{self.row.name}  {' '.join(w for w in self.line.words if w in varying)}".rstrip()


@dataclass
class Swept:
    """What became of the runs. asked: artefacts of every run, counted run by run; distinct: each once."""

    done: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)  # whose record and scores are those of the same artefacts
    failed: dict[str, str] = field(default_factory=dict)  # what and why
    asked: int = 0
    distinct: int = 0
    made: int = 0


def read(name: str, extra: Sequence[str] = ()) -> list[Line]:
    """Every line of the sweep file `name`, expanded as Hydra expands commas; `extra` words take the place of those of the same name.

    The file: `about`, what it is for; `common`, words before those of every line; `runs`, command lines; `references`, lines of which
    the true sound through VAE and vocoder is scored.
    """
    path = shelf.find("sweeps", name)
    told = shelf.read(path, KEYS, needed=("about", "runs"))
    lines = []
    for key in ("runs", "references"):
        for text in told.get(key, []):
            if not isinstance(text, str):
                raise Refused(f"{path}: {key} are lines of words, got {text!r}")
            words = _last_of_each([*shlex.split(told.get("common", "")), *shlex.split(text), *extra])
            lines.append(Line(tuple(words), key == "references"))
    if not lines:
        raise Refused(f"{path}: runs is empty")
    return [Line(tuple(words), line.reference) for line in lines for words in _expanded(path, line)]


def _last_of_each(words: Iterable[str]) -> list[str]:
    """The words in order of first mention, each with the value that was said last."""
    return list({word.partition("=")[0]: word for word in words}.values())


def _expanded(path: Path, line: Line) -> list[list[str]]:
    from bench.settings import expand, site_words

    try:
        return expand(_last_of_each([*site_words(line.words), *line.words]))
    except Refused as error:
        raise Refused(f"{path}: {' '.join(line.words)}: {error}") from error


def composed(lines: Sequence[Line]):
    """(runs, machine, bad): each different experiment once, in order; the machine of the first; {line: why it cannot be composed}."""
    from bench.settings import compose

    runs: dict[str, Run] = {}
    bad: dict[Line, str] = {}
    machine = None
    for line in lines:
        try:
            x, here = compose(*line.words, site=False)
        except Refused as error:
            bad[line] = str(error)
            continue
        machine = machine or here
        run = Run(line, Row("reference" if line.reference else _name(x), x, line.reference))
        runs.setdefault(run.row.id, run)
    return list(runs.values()), machine, bad


def checked(lines: Sequence[Line], *, allow_missing: bool = False):
    """`composed`, Refused with every bad line unless these may be missing (or nothing else is there)."""
    runs, machine, bad = composed(lines)
    if machine is None or (bad and not allow_missing):
        each = "; ".join(f"[{i + 1}] {why}" for i, why in enumerate(dict.fromkeys(bad.values())))
        raise Refused(f"{len(bad)} of {len(lines)} lines cannot be composed: {each} (--allow-missing runs the others)")
    return runs, machine, bad


def _name(x) -> str:
    """As in the table of `bench run`."""
    name = control_name(x)
    if not x.control.heads():
        return name
    if not x.heads:
        return f"{name}, true hints"
    return f"{name}, predicted" if x.predicted == "all" else f"{name}, predicted {', '.join(x.heads)}"


def sweep(runs: Sequence[Run], bad: dict[Line, str], store: Store, results: Path) -> Swept:
    """Make what is missing of each run, keep a record of each and print a line for each; only Stopped ends it early."""
    swept, keys = Swept(), set()
    varying = differing([r.line for r in runs])
    keep_bad(bad, swept, len(runs), results)
    for i, run in enumerate(runs):
        name = run.label(varying)
        about = f"[{i + 1}/{len(runs)}] {name}"
        began, before = time.perf_counter(), len(store.made)
        try:
            needed, scores = _needed(run.row, store)
            swept.asked += len(needed)
            keys |= needed
            if there(results, run.row, scores):
                swept.there.append(run.row.id)
                print(f"{about}: there", flush=True)
                continue
            recorded(run.row, store, results, list(run.line.words))
        except Stopped:
            raise
        except Exception as error:  # whatever it is: the record says so, and the other runs go on
            why = f"{error}" if isinstance(error, (Refused, RuntimeError)) else f"{type(error).__name__}: {error}"
            keep_failure(run, why, "".join(traceback.format_exception(error)[-12:]), results)
            swept.failed[name] = why
            print(f"{about}: FAILED: {why}", flush=True)
            continue
        swept.done.append(run.row.id)
        took = spoken(time.perf_counter() - began)
        print(f"{about}: done in {took}, {len(store.made) - before} artefacts made", flush=True)
    swept.distinct, swept.made = len(keys), len(store.made)
    return swept


def keep_bad(bad: dict[Line, str], swept: Swept, of: int, results: Path) -> None:
    """A record, and a line on the terminal, of each line that cannot be composed."""
    for line, why in bad.items():
        words = list(line.words)
        Record(digest(["line", words]), "run", "failed", words, {"name": " ".join(words)}, {}, {"reason": why}).write(results)
        swept.failed[" ".join(words)] = why
        print(f"[-/{of}] {' '.join(words)}: FAILED: {why}", flush=True)


def summary(swept: Swept) -> str:
    total = len(swept.done) + len(swept.there) + len(swept.failed)
    return (
        f"{total} runs: {len(swept.done)} done, {len(swept.there)} there before, {len(swept.failed)} failed. "
        f"They consist of {swept.asked} artefacts one by one, {swept.distinct} with what they share made once; "
        f"{swept.made} were made now."
    )


def _needed(row: Row, store: Store) -> tuple[set[str], Path]:
    """(names of all artefacts of a run, where its scores are or will be)."""
    dry = Store(store.root, store.ctx, dry=True, shipped=store.shipped)
    scores = row.scores(dry)
    dry(artefacts.films, next(a.path for a in reversed(dry.asked) if a.stage in ("sound", "reference")))
    return {a.key for a in dry.asked}, scores


def there(results: Path, row: Row, scores: Path) -> bool:
    """Whether a record of exactly these scores is kept, with its rows."""
    old = _old(results, row)
    if old is None or old.get("status") != "done" or not old.get("rows") or not (results / old["rows"]).exists():
        return False
    return old.get("made", {}).get("artefacts", {}).get("score") == scores.name


def _old(results: Path, row: Row) -> dict | None:
    path = results / f"{row.id}.json"
    return json.loads(path.read_text()) if path.exists() else None


def keep_failure(run: Run, why: str, trace: str, results: Path) -> None:
    """A record that says why there are no scores; scores that an earlier run left stay."""
    old = _old(results, run.row)
    if old is not None and old.get("status") == "done":
        return
    facts = {"reason": why, "traceback": trace}
    experiment = {"name": run.row.name} | told(run.row.x)
    kind = "reference" if run.row.reference else "run"
    words = [w for w in run.line.words if not w.startswith("machine")]  # where it was tried is nobody's business
    Record(run.row.id, kind, "failed", words, experiment, {}, facts, {"packages": packages()}).write(results)


def differing(lines: Sequence[Line]) -> set[str]:
    """Words that not every line has, but for the control's own name, which the row's name tells."""
    every = [set(line.words) for line in lines]
    shared = set.intersection(*every) if every else set()
    return {w for words in every for w in words - shared if not w.startswith("control=") and "${" not in w}
