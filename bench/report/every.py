"""`bench report all`: a report that nobody wrote, with a row for each setting that any record has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from bench.errors import Refused
from bench.metrics import columns
from bench.report.judged import current
from bench.report.select import PROMPT, SEEDS, Group, Kept, spoken
from bench.report.spec import Form, RowSpec, Spec, Where

EVERY = "all"
RESULTS = ("run", "score", "reference")
SAME = ("experiment.data.", "experiment.split", "experiment.judges")
SIGNAL = (
    "experiment.predicted",
    "experiment.slots",
)  # runs that differ in one of these, or in the prompt, are not ranked together
FLOORS = ("NoControl", "Oracle")
NAMES = ("experiment.name", "facts.system")


def every(records: Sequence[Kept], where: Where) -> Spec:
    """Rows of the finished results that suit `where`; records that differ in seeds alone share one. Refused if there is none."""
    found: dict[str, list[Kept]] = {}
    for record in records:
        if record.done and record.told.get("kind") in RESULTS and record.suits(where):
            found.setdefault(json.dumps(_about(record), sort_keys=True, default=str), []).append(record)
    if not found:
        raise Refused(f"none of {len(records)} records is a finished result{f' with {spoken(where)}' if where else ''}")
    labels = _labels([same[0] for same in found.values()])
    rows = [
        RowSpec(label, {"id": [r.id for r in same], "kind": same[0].told["kind"]}, ranked=_ranked(same[0]))
        for label, same in zip(labels, found.values(), strict=True)
    ]
    rows.sort(key=lambda r: (not r.ranked, r.label))
    metrics = tuple(m.id.partition(".")[0] for m in columns())
    return Spec(EVERY, "Every result here", tuple(rows), (Form("value", {}),), metrics)


def together(records: Sequence[Kept], spec: Spec) -> list[Group]:
    """The records of `every`'s rows by what a table must share, the largest table first: data, split, judges, list of clips, prompt, what
    was predicted and how many slots. Runs by which nothing is predicted stand in every table of their prompt, sounds of other systems and
    the reference in every table of their clips.
    """
    taken = {id for row in spec.rows for id in row.where["id"]}
    of_clips: dict[str, list[Kept]] = {}
    for record in records:
        if record.id in taken:
            same = {k: v for k, v in record.flat.items() if k.startswith(SAME) and not k.endswith(".root")}
            key = json.dumps([same, record.flat.get("facts.clips_hash", "")], sort_keys=True, default=str)
            of_clips.setdefault(key, []).append(record)
    made = []
    for same in of_clips.values():
        tables = list(_kin(same))
        differ = [k for k in (PROMPT, *SIGNAL) if len({str(apart.get(k)) for apart, _ in tables}) > 1]
        for apart, some in tables:
            now, left = current(some)
            told = {k: apart[k] for k in differ if k in apart}
            made.append(Group(tuple(now), told, some[0].flat.get("facts.clips_hash", ""), left))
    return sorted(made, key=lambda g: (-len(g.records), g.clips_hash, str(g.apart)))


def _kin(records: Sequence[Kept]) -> Iterator[tuple[dict[str, Any], list[Kept]]]:
    """(prompt, what is predicted and slots; the records of that table) of records on the same clips."""
    runs = [r for r in records if r.told["kind"] == "run"]
    others = [r for r in records if r.told["kind"] != "run"]
    for prompt in dict.fromkeys(r.flat.get(PROMPT) for r in runs):
        same = [r for r in runs if r.flat.get(PROMPT) == prompt]
        apart = {_signal(r): {k: r.flat.get(k) for k in SIGNAL} for r in same if not _everywhere(r)}
        for signal, told in apart.items() or [("", {})]:
            yield {PROMPT: prompt, **told}, [*(r for r in same if _everywhere(r) or _signal(r) == signal), *others]
    if not runs:
        yield {}, others


def _signal(record: Kept) -> str:
    return json.dumps([record.flat.get(k) for k in SIGNAL], default=str)


def _everywhere(record: Kept) -> bool:
    """Whether nothing of a run can be predicted: text alone, image embeddings, the true mel."""
    nothing = [record.flat.get(f"facts.{cost}") == 0 for cost in ("bits_per_slot", "reals_per_slot")]
    return all(nothing) or record.flat.get("experiment.control.is") in FLOORS


def _ranked(record: Kept) -> bool:
    """All but floor and ceilings: what is no system to choose."""
    flat, plain = record.flat, record.flat.get("experiment.inversion.is", "NoInversion") == "NoInversion"
    return record.told["kind"] != "reference" and not (flat.get("experiment.control.is") in FLOORS and plain)


def _about(record: Kept) -> dict[str, Any]:
    told = {k: v for k, v in record.flat.items() if k.startswith("experiment.") and k not in SEEDS}
    return told | {
        k: record.told.get(k) if k == "kind" else record.flat.get(k) for k in ("kind", "facts.clips_hash", "facts.system")
    }


def _labels(records: Sequence[Kept]) -> list[str]:
    """Names of the rows; those that share one get the settings in which they differ, and what still shares one its record's id."""
    names = [next((str(r.flat[n]) for n in NAMES if r.flat.get(n)), r.id) for r in records]
    shared = {n for n, count in Counter(names).items() if count > 1}
    for name in shared:
        same = [r for r, n in zip(records, names, strict=True) if n == name]
        paths = dict.fromkeys(p for r in same for p in r.flat if p.startswith("experiment.") and p not in SEEDS)
        # a setting that older records do not name is no difference as long as all that do name it agree
        differ = [p for p in paths if len({json.dumps(r.flat[p], default=str) for r in same if p in r.flat}) > 1]
        for i, record in enumerate(records):
            if names[i] == name:
                names[i] = f"{name}, {spoken({p: record.flat[p] for p in differ if p in record.flat})}".rstrip(", ")
    twice = {n for n, count in Counter(names).items() if count > 1}
    return [f"{n} ({r.id})" if n in twice else n for n, r in zip(names, records, strict=True)]
