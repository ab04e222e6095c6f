"""One group of records as the page's data: its systems, clips, values, and what opens behind each number."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

from bench.report.cells import Cell, Cells, Column
from bench.report.html import against
from bench.report.html.chosen import chosen, first, spread, values
from bench.report.html.media import Media
from bench.report.html.places import Places, Sources
from bench.report.marks import said
from bench.report.select import Group, Kept
from bench.report.spec import Form, RowSpec, Spec
from bench.report.table import Line, Shown

VERBS = {"run": "run", "reference": "run", "score": "score", "response": "check"}


@dataclass
class System:
    """A row in a form: one column of sounds. made: {position of a clip: its player}."""

    row: RowSpec
    form: Form
    name: str
    record: Kept
    sources: Sources
    made: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Behind:
    """What stands behind the tables of one group. `data()` is what the page knows of it."""

    group: Group
    spec: Spec
    cells: Cells
    systems: list[System]
    clips: list[str]
    place: int = 0  # among the groups of the report
    shown: list[dict[str, Any]] = field(default_factory=list)  # of each number that opens
    real: dict[int, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, group: Group, spec: Spec, places: Places, place: int) -> Behind:
        cells, systems, seen = Cells(group, spec), [], set()
        for form in spec.forms:
            for row in spec.rows:
                record = _done(cells, row, form)
                if record is None or record.id in seen:
                    continue
                seen.add(record.id)
                name = row.label if row.merged or len(spec.forms) == 1 else f"{row.label}, {form.name}"
                systems.append(System(row, form, name, record, places.of(record)))
        clips = sorted({c for s in systems for c in cells.clips_of(s.record)})
        return cls(group, spec, cells, systems, clips, place)

    def opens(self, line: Line, shown: Shown) -> str | None:
        """The name of what opens behind a number of the table."""
        cell, column = shown.cell, shown.column
        if cell is None or column is None or cell.value is None or not cell.records:
            return None
        record = first(self.cells, cell)
        system = next((i for i, s in enumerate(self.systems) if record is not None and s.record.id == record.id), None)
        if record is None or system is None:
            return None
        key = {"system": system, "metric": column.id, "row": line.label}
        known = next((i for i, k in enumerate(self.shown) if all(k[name] == v for name, v in key.items())), None)
        if known is None:
            clips = [[role, self.clips.index(id)] for role, id in chosen(values(self.cells, record, column), column)]
            self.shown.append({**key, "form": shown.form, "facts": facts(cell, column, record), "clips": clips})
            known = len(self.shown) - 1
        return f"{self.place}-{known}"

    def collect(self, media: Media, wanted: list[tuple[int, int]]) -> None:
        """Put the sounds of `wanted` (system, clip) beside the page, the true ones with them."""
        for s, c in wanted:
            system, id = self.systems[s], self.clips[c]
            made = media.generated(system.record, system.sources, id)
            if made:
                system.made[c] = made
            if c not in self.real and (real := media.real(system.record, system.sources, id)):
                self.real[c] = real

    def wanted(self) -> list[tuple[int, int]]:
        """(system, clip) of every number that opens, each once, best and worst before median."""
        order = {"best": 0, "worst": 1, "median": 2}
        found = [(order[role], s["system"], c) for s in self.shown for role, c in s["clips"]]
        return list(dict.fromkeys((s, c) for _, s, c in sorted(found, key=lambda f: f[0])))

    def gallery(self, n: int) -> list[int]:
        """Positions of `n` clips that every system with sound has, evenly through the list: what pictures of all systems show."""
        there = [set(self.cells.clips_of(s.record)) for s in self.systems if s.sources.made]
        both = [i for i, id in enumerate(self.clips) if there and all(id in t for t in there)]
        return [both[i] for i in spread(len(both), n)]

    def data(self) -> dict[str, Any]:
        drawn = spread(len(self.clips), against.CLIPS)
        columns = [c for c in self.cells.columns.values() if c.n]
        pairs, untested = against.compared(self.cells, [(s.row, s.form) for s in self.systems])
        table: dict[str, list[list[float | None]]] = {}
        for column in columns:
            rows = [values(self.cells, s.record, column) if column.id in s.record.told["scores"] else None for s in self.systems]
            table[column.id] = [
                [] if row is None or not len(row) else [_short(row.get(self.clips[i])) for i in drawn] for row in rows
            ]
        labels = next((s.sources.real for s in self.systems if s.sources.real), None)
        return {
            "systems": [_system(s) for s in self.systems],
            "metrics": [_metric(c) for c in columns],
            "clips": [[id, (labels.label(id) or "") if labels and id in labels else ""] for id in self.clips],
            "drawn": drawn,
            "values": table,
            "shown": self.shown,
            "pairs": pairs,
            "untested": untested,
            "real": {str(c): player for c, player in self.real.items()},
            "gallery": [c for c in self.gallery(4) if c in self.real or any(c in s.made for s in self.systems)],
        }


def command(record: Kept) -> str:
    """The command line that made a record, where results go left out."""
    words = [str(w) for w in record.told.get("words", [])]
    return " ".join(["bench", VERBS.get(str(record.told.get("kind")), "run"), *(shlex.quote(w) for w in words)])


def facts(cell: Cell, column: Column, record: Kept) -> list[list[str]]:
    """(what, text) lines of a number: value, interval, N, seeds, records, what chance and the real sound give."""
    score = record.told["scores"].get(column.id, {})
    unit = column.metric.unit
    told = [["value", said(cell.value, column) + (f" {unit}" if unit else "")]] if cell.value is not None else []
    if cell.low is not None and cell.high is not None:
        told.append(["95 % interval", f"{said(cell.low, column)} to {said(cell.high, column)}"])
    told += [["N", f"{cell.n} clips"], ["metric", column.id]]
    if cell.runs > 1:
        told.append(["seeds", ", ".join(said(v, column) for v in cell.seeds.values())])
    for name, what in (("chance", "by chance"), ("ceiling", "real sound itself")):
        if isinstance(score.get(name), (int, float)):
            told.append([what, said(score[name], column)])
    told += [[f"left out, {i + 1}", why] for i, why in enumerate(dict.fromkeys(cell.left))]
    return [*told, ["record" if len(cell.records) == 1 else "records", ", ".join(cell.records)]]


def _done(cells: Cells, row: RowSpec, form: Form) -> Kept | None:
    records, _ = cells.records(row, form)
    done = [r for r in records if r.done]
    return min(done, key=lambda r: (str(r.seed), r.id)) if done else None


def _system(system: System) -> dict[str, Any]:
    why = system.sources.why or ("" if system.sources.made else "no sound is kept of it")
    return {
        "name": system.name, "record": system.record.id, "command": command(system.record), "why": why,
        "made": {str(c): player for c, player in system.made.items()},
    }  # fmt: skip


def _metric(column: Column) -> dict[str, Any]:
    m = column.metric
    told = {"id": column.id, "label": m.label, "unit": m.unit, "scale": m.scale, "digits": m.digits, "better": m.better}
    return told | {"n": column.n, "kind": m.kind}


def _short(value: Any) -> float | None:
    """Five digits are more than a point on a screen shows."""
    return None if value is None or value != value else float(f"{value:.5g}")
