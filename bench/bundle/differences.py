"""The paired differences that a record of `bench score` holds, computed anew from the rows of a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import strangers
from bench.scoring import System, compare

if TYPE_CHECKING:
    import pandas as pd

    from bench.bundle.verify import Verified


@dataclass(frozen=True)
class Kept(System):
    """A system whose rows and replicates lie in a bundle."""

    id: str = ""

    def rows(self) -> pd.DataFrame:
        return strangers.rows(self.folder / "rows" / f"{self.id}.csv")

    def without(self) -> dict[str, list[float]]:
        path = self.folder / "rows" / f"{self.id}.without.json"
        return strangers.without(path) if path.is_file() else {}  # type: ignore[return-value]


def compared(root: Path, ids: Sequence[str], found: Verified) -> list[str]:
    """What differs. p after Holm's correction is compared where every system of the table was packed; `found` counts what was."""
    from bench.bundle.verify import same

    told = {id: strangers.record(root / f"{id}.json") for id in ids}
    groups: dict[str, dict[str, str]] = {}  # {what was scored together: {system: record}}
    for id, record in told.items():
        if record.get("kind") == "score" and record.get("facts", {}).get("comparisons"):
            groups.setdefault(str(record["facts"].get("reference")), {})[str(record["facts"].get("system"))] = id
    problems = []
    for systems in groups.values():
        kept = {_key(c): (id, c) for id in systems.values() for c in told[id]["facts"]["comparisons"]}
        whole = {name for first, second, _ in kept for name in (first, second)} <= set(systems)
        order = list(dict.fromkeys(name for pair in kept for name in pair[:2] if name in systems))
        made = compare([_kept(name, told[systems[name]], root) for name in order])
        for c in made:
            id, old = kept.get((c.first, c.second, c.metric), ("", {}))
            new = {"value": c.difference.value, "low": c.difference.low, "high": c.difference.high, "p": c.difference.p}
            new |= {"p_holm": c.p} if whole else {}
            for name, value in new.items():
                if id:
                    found.checked[id] = found.checked.get(id, 0) + 1
                if id and not same(old.get(name), value):
                    problems.append(
                        f"{id}: {c.first} - {c.second}, {c.metric}.{name}: {old.get(name)} kept, computed anew {value}"
                    )
    return problems


def _kept(name: str, record: Mapping[str, Any], root: Path) -> Kept:
    """The system with those scores that its rows or replicates are there for."""
    made = Kept(name, {}, root, record["id"])
    known = {*made.rows()["metric"], *made.without()}
    return Kept(name, {id: score for id, score in record["scores"].items() if id in known}, root, record["id"])


def _key(comparison: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(comparison.get("first")), str(comparison.get("second")), str(comparison.get("metric"))
