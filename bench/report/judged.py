"""Which records of one table may share a mean: those whose judges are the same networks, and of one seed and setting the newest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bench.report.select import Kept

FACT = "facts.judges."  # {judge: digest of its settings and weights}
NEAR = 1e-3  # relative: what one judge gives to the same real sound on other processors is nearer, one taught again is farther
WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NAMED = 12  # records that a line spells out


@dataclass
class Version:
    """One state of a judge. real: {metric: what it gives to the real sound itself}."""

    digest: str = ""
    real: dict[str, float] = field(default_factory=dict)
    records: list[Kept] = field(default_factory=list)

    def is_of(self, digest: str, real: Mapping[str, float]) -> bool:
        """By digest where both are known, else by what real sound is given; where nothing tells two apart they are one."""
        if self.digest and digest:
            return self.digest == digest
        return all(np.isclose(self.real[id], value, rtol=NEAR, atol=1e-9) for id, value in real.items() if id in self.real)


def current(records: Sequence[Kept]) -> tuple[list[Kept], tuple[str, ...]]:
    """(those that may stand in one table, a line for each reason why others may not) of records on the same clips.

    A judge that was taught again gives other numbers under the same name: the table keeps the newest judge. Older records do not say
    which one they had; what it gave to the real sound tells. Of records that are alike in everything but their age the newest counts.
    """
    lines: list[str] = []
    left: set[str] = set()
    for judge in dict.fromkeys(name for r in records for name in _judges(r)):
        newest, *older = versions(records, judge)
        for version in older:
            found = [r for r in version.records if r.id not in left]
            left |= {r.id for r in found}
            if found:
                lines.append(f"Left out, judged by an older {judge}{_unlike(version, newest)}: {named(found)}")
    there = [r for r in records if r.id not in left]
    alike: dict[str, list[Kept]] = {}
    for record in there:
        alike.setdefault(record.id if record.outside else _setting(record), []).append(record)
    again = [r for same in alike.values() for r in sorted(same, key=lambda r: (r.done, r.when), reverse=True)[1:]]
    if again:
        lines.append(f"Left out, a newer record has the same seed and settings: {named(again)}")
    gone = {r.id for r in again}
    return [r for r in there if r.id not in gone], tuple(lines)


def versions(records: Sequence[Kept], judge: str) -> list[Version]:
    """The states of `judge` that numbers of `records` come from, the newest first."""
    found: list[Version] = []
    for record in sorted((r for r in records if r.done and judge in _judges(r)), key=lambda r: r.when, reverse=True):
        digest, real = str(record.flat.get(f"{FACT}{judge}", "")), _real(record, judge)
        version = next((v for v in found if v.is_of(digest, real)), None)
        if version is None:
            found.append(version := Version())
        version.digest = version.digest or digest
        version.real = {**real, **version.real}
        version.records.append(record)
    return found


def named(records: Sequence[Kept]) -> str:
    ids = sorted(r.id for r in records)
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return f"{len(ids)} record{'s' * (len(ids) > 1)} ({', '.join(ids[:NAMED])}{more})"


def _judges(record: Kept) -> set[str]:
    """Names of the judges that tell something about themselves in a finished record."""
    if not record.done:
        return set()
    told = {path.removeprefix(FACT) for path in record.flat if path.startswith(FACT)}
    return told | {id.rpartition(".")[2] for id, score in record.told["scores"].items() if score.get("ceiling") is not None}


def _real(record: Kept, judge: str) -> dict[str, float]:
    scores = record.told["scores"].items()
    return {id: s["ceiling"] for id, s in scores if id.endswith(f".{judge}") and s.get("ceiling") is not None}


def _unlike(older: Version, newest: Version) -> str:
    """By what the two were told apart."""
    if older.digest and newest.digest:
        return f" ({older.digest}, the newest is {newest.digest})"
    apart = {id: abs(newest.real[id] - value) for id, value in older.real.items() if id in newest.real}
    id = max(apart, key=lambda i: apart[i])
    return f" (it gives {older.real[id]:.3f} to real sound in {id}, the newest {newest.real[id]:.3f})"


def _setting(record: Kept) -> str:
    aside = (".root", ".name") if record.seed else (".root", ".name", ".seed")
    told = {k: v for k, v in record.flat.items() if k.startswith("experiment.") and not k.endswith(aside)}
    return json.dumps([record.told.get("kind"), record.flat.get("facts.clips_hash"), told], sort_keys=True, default=str)
