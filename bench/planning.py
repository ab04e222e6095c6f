"""`bench plan`: which artefacts exist, which would be made, and how long the like took before."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterable
from pathlib import Path

from bench.store import Asked


def measured(cache: Path) -> dict[str, list[float]]:
    """{stage: seconds of each artefact of it under `cache`}, as their made.json tell."""
    found: dict[str, list[float]] = defaultdict(list)
    for path in cache.glob("*/made.json"):
        told = json.loads(path.read_text())
        found[told["stage"]].append(told["seconds"])
    return found


def plan(asked: Iterable[Asked], cache: Path, lacking: Container[str] | None = None) -> list[str]:
    """A line for each different artefact in the order of making, then the sums; a stage that was never measured has no time.

    lacking: names of what has to be made (`Store.lacking`); others that do not exist are not needed, for what they would make exists.
    """
    before, lines = measured(cache), []
    needed, seconds, unknown = 0, 0.0, set()
    for one in {a.key: a for a in asked}.values():
        if one.exists:
            lines.append(f"there    {one.key}")
            continue
        if lacking is not None and one.key not in lacking:
            continue
        needed += 1
        times = before.get(one.stage)
        if times:
            typical = sum(times) / len(times)
            seconds += typical
            lines.append(f"to make  {one.key}  about {spoken(typical)} (mean of {len(times)} before)")
        else:
            unknown.add(one.stage)
            lines.append(f"to make  {one.key}")
    there = len(lines) - needed  # lines are those that exist and those to be made
    lines.append(f"{there} there, {needed} to make" + (f", about {spoken(seconds)} one after the other" if seconds else ""))
    if unknown:
        lines.append(f"never measured here: {', '.join(sorted(unknown))}")
    return lines


def spoken(seconds: float) -> str:
    """`95 s`, `12 min`, `3.4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
