"""`bench verify`: whether a bundle's files are those that were packed, and whether its numbers follow from its arrays."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import strangers
from bench.bundle.layout import EVIDENCE, MANIFEST, SEAL, Evidence, check_heard, evidence, files, manifest, sha256
from bench.bundle.pack import called
from bench.context import Context
from bench.errors import Failed, Refused
from bench.workers import Crashed, spread

if TYPE_CHECKING:
    import pandas as pd

    from bench.stages.score import Row

NEAR = 1e-6  # relative: other processors sum in another order
TINY = 1e-9  # absolute, for numbers about zero
NAMED = 20  # differences that are spelt out


@dataclass
class Verified:
    """problems: what differs, one line each. checked: {record: numbers computed anew}; open: {record: why some could not be}."""

    seal: str
    files: int = 0
    problems: list[str] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(root: Path, ctx: Context) -> Verified:
    """Everything that differs in the bundle at `root`. Raises Refused where it is no bundle, or holds links or paths outside itself."""
    there = files(root)
    told = manifest(root)
    found = Verified(sha256(root / MANIFEST), len(there))
    _files(root, there, told, found)
    jobs = [(root, id, about) for id, about in told["records"].items()]
    # in processes of one thread each: so many small matrices take threads of several several times as long
    alone = ((job, one(job)) for job in jobs)
    ended = spread("bench.bundle.verify:one", jobs, workers=min(ctx.workers, len(jobs))) if ctx.workers > 1 else alone
    parts: dict[str, Verified | Crashed] = {}
    with closing(ended):
        for (_, id, _), part in ctx.track(ended, "records", total=len(jobs)):
            ctx.check()
            parts[id] = part
    for id in told["records"]:
        part = parts[id]
        if isinstance(part, Crashed):
            found.problems.append(f"{id}: its numbers cannot be computed anew: the process ended with status {part.code}")
            continue
        found.problems += part.problems
        found.checked |= part.checked
        found.open |= part.open
        found.names |= part.names
    from bench.bundle.differences import compared

    for record in {path.stem for path in root.glob("*.json")} - set(told["records"]):
        found.problems.append(f"{record}.json: is no record of this bundle")
    if found.ok:
        found.problems += compared(root, list(told["records"]), found)
    return found


def one(job: tuple[Path, str, Any]) -> Verified:
    """What differs in one record of a bundle, `job` its folder, its id and what the manifest tells of it: a process's share of the work."""
    root, id, about = job
    found = Verified("")
    try:
        _record(root, id, evidence(about, id), found, Context(quiet=True))
    except (Refused, Failed) as error:
        found.problems.append(f"{id}: {error}")
    except (ValueError, KeyError, OSError, TypeError, IndexError) as error:  # arrays that were changed fail anywhere
        found.problems.append(f"{id}: its evidence cannot be computed with: {type(error).__name__}: {error}")
    return found


def _files(root: Path, there: list[str], told: Mapping[str, Any], found: Verified) -> None:
    """Files that are missing, that nobody listed, or that have another digest."""
    listed = told["files"]
    seal = (root / SEAL).read_text(errors="replace").strip() if (root / SEAL).is_file() else ""
    if seal != found.seal:
        found.problems.append(f"{MANIFEST}: changed, its sha256 is not the one in {SEAL}")
    for name in sorted(set(there) - set(listed) - {MANIFEST, SEAL}):
        found.problems.append(f"{name}: was not packed")
    for name, about in listed.items():
        path = root / name
        if name not in there:
            found.problems.append(f"{name}: is missing")
        elif path.stat().st_size != about["bytes"]:
            found.problems.append(f"{name}: changed, {path.stat().st_size} bytes instead of {about['bytes']}")
        elif sha256(path) != about["sha256"]:
            found.problems.append(f"{name}: changed, its sha256 differs")


def _record(root: Path, id: str, known: Evidence, found: Verified, ctx: Context) -> None:
    told = strangers.record(root / f"{id}.json")
    if told["id"] != id:
        raise Refused(f"{id}.json is the record {told['id']}")
    found.names[id] = called(told)
    rows = strangers.rows(strangers.within(root, told["rows"], f"record {id}"))
    left = root / "rows" / f"{id}.without.json"
    without = strangers.without(left) if left.is_file() else {}
    if known.whole:
        table, scores, blocks = again(root, known, ctx)
        differ = [*_rows_differ(rows, table), *_scores_differ(told["scores"], scores)]
        if without:
            differ += _without_differ(without, blocks)
        found.checked[id] = len(table) + sum(len(s) for s in scores.values()) + sum(map(len, blocks.values()))
    else:
        from bench.bundle.fromrows import means, sets

        scores = {**means(rows), **sets(told["scores"], without)}
        differ = [d for d in _scores_differ(told["scores"], scores, partly=True)]
        found.checked[id] = sum(len(s) for s in scores.values())
        found.open[id] = (
            "rows alone were packed: means, counts and intervals follow from them; FID, chance and ceilings cannot be checked"
        )
    found.problems += [f"{id}: {d}" for d in differ[:NAMED]]
    if len(differ) > NAMED:
        found.problems.append(f"{id}: and {len(differ) - NAMED} more differences")


def again(root: Path, known: Evidence, ctx: Context) -> tuple[pd.DataFrame, dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """(rows, scores, set metrics without each block) of one record, from its arrays, as the stage `score` makes them."""
    from bench.aggregate import aggregate
    from bench.listened import open_all

    base = root / EVIDENCE
    for name in {*known.heard, *known.real}:
        check_heard(base / name)
    heard, real = (open_all(base / name for name in side) for side in (known.heard, known.real))
    labels = strangers.parsed(base / known.labels) if known.labels else {}
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        raise Refused(f"{known.labels} must be labels by clip")
    return aggregate(ctx, None, heard, real, _pairs(base / str(known.pairs)), labels)


def _pairs(path: Path) -> list[Row]:
    from bench.stages.score import Row

    with open(path, newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    if not lines or not set(Row._fields) <= set(lines[0]):
        raise Refused(f"{path}: needs the columns {', '.join(Row._fields)}")
    return [Row(r["clip"], int(r["sample"]), r["key"], status=r["status"]) for r in lines]


def _rows_differ(kept: pd.DataFrame, made: pd.DataFrame) -> list[str]:
    key = ["metric", "clip", "sample"]
    a, b = (t.astype({"clip": str}).drop_duplicates(key).set_index(key)[["value", "status"]] for t in (kept, made))
    differ = [f"rows: {_at(at)} is missing" for at in b.index.difference(a.index)]
    differ += [f"rows: {_at(at)} cannot be computed" for at in a.index.difference(b.index)]
    both = a.index.intersection(b.index)
    first, second = a.loc[both], b.loc[both]
    same = np.isclose(first["value"], second["value"], rtol=NEAR, atol=TINY, equal_nan=True) & (
        first["status"].to_numpy() == second["status"].to_numpy()
    )
    for at in both[~same]:
        differ.append(f"rows: {_at(at)} is {_told(first.loc[at])}, computed anew {_told(second.loc[at])}")
    return differ


def _at(at) -> str:
    metric, clip, sample = at
    return f"{metric} of clip {clip!r}" + (f", sample {sample}" if sample else "")


def _told(row) -> str:
    return f"{row['value']:.6g} ({row['status']})"


def _scores_differ(kept: Mapping[str, Any], made: Mapping[str, Any], *, partly: bool = False) -> list[str]:
    """partly: only what `made` holds is compared."""
    differ = []
    for id in made if partly else dict.fromkeys([*made, *kept]):
        if id not in kept or id not in made:
            differ.append(f"{id}: " + ("is missing" if id not in kept else "cannot be computed from what its judges heard"))
            continue
        for name in made[id] if partly else dict.fromkeys([*made[id], *kept[id]]):
            a, b = kept[id].get(name), made[id].get(name)
            if not same(a, b):
                differ.append(f"{id}.{name}: {a} in the record, computed anew {b}")
    return differ


def _without_differ(kept: Mapping[str, list], made: Mapping[str, np.ndarray]) -> list[str]:
    return [
        f"without.json: {id}: differs from what is computed anew"
        for id in dict.fromkeys([*kept, *made])
        if len(kept.get(id, [])) != len(made.get(id, []))
        or not np.allclose(np.array(kept.get(id, []), np.float64), made.get(id, []), rtol=NEAR, atol=TINY, equal_nan=True)
    ]


def same(a: Any, b: Any) -> bool:
    """Equal, numbers to within what another processor may change."""
    if isinstance(a, float) or isinstance(b, float):
        if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
            return a is None and b != b
        return bool(np.isclose(a, b, rtol=NEAR, atol=TINY, equal_nan=True))
    return a == b
