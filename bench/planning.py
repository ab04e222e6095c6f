"""`bench plan`: which artefacts exist, which would be made, and what the like took before: hours, disk, the longest chain."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.store import Asked


@dataclass(frozen=True)
class Cost:
    """What an artefact took to make."""

    seconds: float
    size: float  # bytes of its files


def measured(*roots: Path) -> dict[str, list[Cost]]:
    """{stage: cost of each artefact of it under `roots`}, as their made.json tell."""
    found: dict[str, list[Cost]] = defaultdict(list)
    for path in (p for root in roots for p in root.glob("*/made.json")):
        told = json.loads(path.read_text())
        found[told["stage"]].append(Cost(told["seconds"], sum(told.get("files", {}).values())))
    return found


def plan(asked: Iterable[Asked], cache: Path, lacking: Container[str] | None = None, *, each: bool = False) -> list[str]:
    """A line for each stage in the order of making, then the sums; a stage that was never measured has no time.

    lacking: names of what has to be made (`Store.lacking`); others that do not exist are not needed, for what they would make exists.
    each: a line for each different artefact before those.
    """
    before = measured(cache)
    used = [a for a in {a.key: a for a in asked}.values() if a.exists or lacking is None or a.key in lacking]
    to_make = {a.key: a for a in used if not a.exists}
    typical = {
        stage: Cost(sum(c.seconds for c in costs) / len(costs), round(sum(c.size for c in costs) / len(costs)))
        for stage, costs in before.items()
    }
    lines = []
    for one in used if each else ():
        about = f"  about {spoken(typical[one.stage].seconds)}" if one.key in to_make and one.stage in typical else ""
        lines.append(f"{'to make' if one.key in to_make else 'there  '}  {one.key}{about}")
    lines += [*([""] if lines else []), *_by_stage(used, before)]
    sums = _sums(to_make, typical)
    lines.append(f"{len(used) - len(to_make)} there, {len(to_make)} to make" + (f", about {sums[0]}" if sums else ""))
    lines += sums[1:]
    if unknown := sorted({a.stage for a in to_make.values()} - typical.keys()):
        told = f"never measured here: {', '.join(unknown)}; they have no part in the sums"
        lines.append(told if sums else "Nothing like it was measured here yet: counts alone.")
    return lines


def _by_stage(used: Sequence[Asked], before: Mapping[str, Sequence[Cost]]) -> list[str]:
    """The table: of each stage how many are there and to make, what one took so far, and what that makes of those to make."""
    rows: list[tuple[str, ...]] = [("stage", "there", "to make", "one", "together")]
    for stage in dict.fromkeys(a.stage for a in used):
        made, missing = (sum(a.stage == stage and a.exists is is_there for a in used) for is_there in (True, False))
        costs = before.get(stage, ()) if missing else ()
        mean = sum(c.seconds for c in costs) / len(costs) if costs else None
        times = (
            ("", "")
            if mean is None
            else (f"{spoken(mean) if mean >= 1 else '< 1 s'} (mean of {len(costs)})", spoken(mean * missing))
        )
        rows.append((stage, str(made or "-"), str(missing or "-"), *times))
    if len(rows) == 1:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(t.rjust(w) for t, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in rows
    ]


def _sums(to_make: Mapping[str, Asked], typical: Mapping[str, Cost]) -> list[str]:
    """Time one after the other, then longest chain and disk; [] where nothing of it was measured."""
    known = [a for a in to_make.values() if a.stage in typical]
    if not known:
        return []
    seconds = sum(typical[a.stage].seconds for a in known)
    took, chain = longest(to_make, {key: typical[a.stage].seconds if a.stage in typical else 0.0 for key, a in to_make.items()})
    stages = " > ".join(to_make[key].stage for key in chain)
    return [
        f"{spoken(seconds)} one after the other",
        f"longest chain: about {spoken(took)} however many jobs ({stages})",
        f"disk: about {sized(sum(typical[a.stage].size for a in known))}",
    ]


def longest(to_make: Mapping[str, Asked], seconds: Mapping[str, float]) -> tuple[float, list[str]]:
    """(seconds, keys in order) of the longest chain of artefacts that wait for one another; `to_make` in an order of making."""
    best: dict[str, tuple[float, list[str]]] = {}
    for key, one in to_make.items():
        before = max((best[p] for p in one.parts if p in best), key=lambda b: b[0], default=(0.0, []))
        best[key] = (before[0] + seconds[key], [*before[1], key])
    return max(best.values(), key=lambda b: b[0], default=(0.0, []))


def shared(sweeps: Mapping[str, Sequence[Iterable[str]]]) -> list[str]:
    """Lines about several sweeps together. sweeps: {name: the artefacts of each of its runs}."""
    lines, every, one_by_one = [], set(), 0
    for name, runs in sweeps.items():
        keys = set().union(*runs)
        one_by_one += sum(len(set(run)) for run in runs)
        others = set().union(*(set().union(*r) for n, r in sweeps.items() if n != name))
        also = f", {len(keys & others)} of them in others too" if len(sweeps) > 1 else ""
        lines.append(f"{name}: {len(runs)} runs, {len(keys)} artefacts{also}")
        every |= keys
    return [*lines, f"together {len(every)} artefacts; without sharing {one_by_one}, each run by itself"]


def spoken(seconds: float) -> str:
    """`95 s`, `12 min`, `3.4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def sized(size: float) -> str:
    """`1 KB`, `12 MB`, `3.4 GB`, powers of ten."""
    for unit, bytes in (("GB", 1e9), ("MB", 1e6)):
        if size >= bytes:
            return f"{size / bytes:.1f} {unit}"
    return f"{max(1, round(size / 1e3))} KB"
