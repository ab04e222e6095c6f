"""One number of a table: the mean over seeds of the records' values, its interval over clips, or the reason why there is none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bench import strangers
from bench.metrics import column_ids, columns
from bench.metrics.base import Metric
from bench.report.select import SEEDS, WORDS_SEED, Group, Kept, of_row
from bench.report.spec import Form, RowSpec, Spec

if TYPE_CHECKING:
    import pandas as pd

    from bench.stats import Interval


@dataclass(frozen=True)
class Column:
    """A metric as one table shows it: every number in it has this id and counts so many clips."""

    metric: Metric
    id: str  # of the registry with the judge filled in; the id under which a reason stands where no record has a value
    n: int


@dataclass(frozen=True)
class Cell:
    """seeds: {seed: that record's value}. each: [clips, seeds] per clip and seed; without: the set metric without each block."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    seeds: Mapping[tuple, float] = field(default_factory=dict)
    why: str = ""
    left: tuple[str, ...] = ()  # why records of this cell are not in its mean
    each: pd.DataFrame | None = None
    without: np.ndarray | None = None
    records: tuple[str, ...] = ()

    @property
    def runs(self) -> int:
        return len(self.seeds)

    @property
    def clips(self) -> pd.Series | None:
        """Per-clip values, the mean over seeds."""
        return None if self.each is None else self.each.mean(axis=1)


class Cells:
    """The numbers of one group of records; what is read from disk is read once."""

    def __init__(self, group: Group, spec: Spec):
        self.group, self.spec = group, spec
        self._rows: dict[str, pd.Series] = {}
        self._listed: dict[str, list[str]] = {}
        self._made: dict[tuple[str, str, str], Cell] = {}
        self.columns = {m.id.partition(".")[0]: self._column(m) for m in columns()}

    def cell(self, row: RowSpec, form: Form, column: Column) -> Cell:
        key = (row.label, form.name, column.metric.id)
        if key not in self._made:
            records, why = self.records(row, form)
            self._made[key] = Cell(why=why) if why else self._mean(records, column)
        return self._made[key]

    def paired(self, rows: tuple[RowSpec, RowSpec], form: Form, column: Column) -> list[Cell]:
        """The cells of two rows over the seeds that both have, see `alike`."""
        return self.alike([(row, form) for row in rows], column)

    def own(self, row: RowSpec, form: Form) -> bool:
        """Whether a record of `row` is of this form; a merged row, or one that is the same in both, may lend another form's value."""
        return form.name not in row.same and any(of_row(r, row) and r.suits(form.where) for r in self.group.records)

    def alike(self, places: Sequence[tuple[RowSpec, Form]], column: Column) -> list[Cell]:
        """The cells of these places over the seeds that all have: what is compared was trained and drawn alike. Other systems' sounds,
        whose seeds are not known, stand against all.
        """
        found, alone = [self.records(*place)[0] for place in places], [self.cell(*place, column) for place in places]
        if not all(found) or any(r.outside for records in found for r in records):
            return alone
        shared = set.intersection(*({r.seed for r in records} for records in found))
        some = [[r for r in records if r.seed in shared] for records in found]
        return [self._mean(records, column) for records in some] if shared else [Cell(why="no seed in common")] * len(places)

    def records(self, row: RowSpec, form: Form) -> tuple[list[Kept], str]:
        """(records of one place of the table, one per seed; why there are none)."""
        mine = [r for r in self.group.records if of_row(r, row)]
        form = next((f for f in self.spec.forms if f.name == row.same.get(form.name)), form)
        found = [r for r in mine if r.suits(form.where)]
        if row.merged:
            found = next((f for f in ([r for r in mine if r.suits(o.where)] for o in self.spec.forms) if f), mine)
        if not found:
            return [], "not run"
        done = [r for r in found if r.done]
        if not done:
            return [], "failed: " + "; ".join(dict.fromkeys(_reason(r) for r in found))
        if len(done) > 1 and any(r.outside for r in done):
            ids = ", ".join(r.id for r in done)
            return [], f"several systems are scored for this row (records {ids}): keep one of them in the results folder"
        other = {k for r in done for k in r.flat if k.startswith(self.spec.components) and k not in (*SEEDS, WORDS_SEED)}
        differ = sorted(k for k in other if len({json.dumps(r.flat.get(k)) for r in done}) > 1)
        if differ:
            values = {k: sorted({json.dumps(r.flat.get(k)) for r in done}) for k in differ}
            told = "; ".join(f"{k.removeprefix('experiment.')} {', '.join(v)}" for k, v in values.items())
            return [], f"several signals suit this row ({told}): narrow it with --where"
        return found, ""

    def _column(self, metric: Metric) -> Column:
        """The id, and the N under it, that most records have."""
        ids = Counter()
        for record in self.group.records:
            id = column_ids(record.told["scores"])[metric.id]
            if record.told["scores"].get(id, {}).get("value") is not None:
                ids[id] += 1
        if not ids:
            return Column(metric, metric.id.replace(".{judge}", ""), 0)
        id = max(sorted(ids), key=lambda i: ids[i])
        scores = [r.told["scores"].get(id, {}) for r in self.group.records]
        counted = Counter(s.get("n", 0) for s in scores if s.get("value") is not None)
        return Column(metric, id, max(counted, key=lambda n: (counted[n], n)))

    def _mean(self, records: Sequence[Kept], column: Column) -> Cell:
        used, left = [], []
        for record in records:
            why = _unlike(record, column)
            left += [why] if why else []
            used += [] if why else [record]
        if not used:
            return Cell(why="; ".join(dict.fromkeys(left)), left=tuple(left))
        used.sort(key=lambda r: str(r.seed))
        scores = [r.told["scores"][column.id] for r in used]
        value = float(np.mean([s["value"] for s in scores]))
        each, without = self._clips(used, column), self._without(used, column)
        interval = (scores[0].get("low"), scores[0].get("high")) if len(used) == 1 else _interval(value, each, without)
        low, high = interval or (None, None)
        seeds = {r.seed: s["value"] for r, s in zip(used, scores, strict=True)}
        ids = tuple(r.id for r in used)
        return Cell(value, low, high, column.n, seeds, left=tuple(left), each=each, without=without, records=ids)

    def _clips(self, records: Sequence[Kept], column: Column) -> pd.DataFrame | None:
        """Each clip's value in every record [clips, records], of the clips that all have; None for set metrics and where rows are lost."""
        import pandas as pd

        if column.metric.kind == "set":
            return None
        found = [self._rows_of(r) for r in records]
        if any(column.id not in f.index.get_level_values(0) for f in found):
            return None
        return pd.concat([f.loc[column.id] for f in found], axis=1, join="inner", keys=range(len(found)))

    def _without(self, records: Sequence[Kept], column: Column) -> np.ndarray | None:
        if column.metric.kind != "set":
            return None
        found = [self.left_out(record, column.id) for record in records]
        if not found[0] or len({len(f) for f in found}) > 1:
            return None
        return np.array(found, np.float64).mean(0)

    def per_clip(self, record: Kept, id: str) -> pd.Series:
        """{clip: value} of one record in the metric `id`; empty where its rows have none."""
        found = self._rows_of(record)
        return found.loc[id] if id in found.index.get_level_values(0) else found.iloc[:0].droplevel(0)

    def clips_of(self, record: Kept) -> list[str]:
        """The clips that a record's rows name, in their order."""
        self._rows_of(record)
        return self._listed[record.id]

    def left_out(self, record: Kept, id: str) -> list[float | None]:
        """The set metric `id` without each block of clips; [] where nobody kept it."""
        path = record.folder / "rows" / f"{record.id}.without.json"
        return strangers.without(path).get(id, []) if path.exists() else []

    def _rows_of(self, record: Kept) -> pd.Series:
        """Values by (metric, clip), the mean over a clip's samples."""
        import pandas as pd

        if record.id not in self._rows:
            path = record.told.get("rows")
            table = pd.DataFrame(columns=["metric", "clip", "value"])
            if path is not None:
                table = strangers.rows(strangers.within(record.folder, path, f"record {record.id}"))
            self._listed[record.id] = list(dict.fromkeys(table["clip"]))
            there = table.dropna(subset=["value"]).groupby(["metric", "clip"])["value"]
            self._rows[record.id] = pd.Series(there.mean())
        return self._rows[record.id]


def _interval(value: float, clips: pd.DataFrame | None, without: np.ndarray | None) -> Interval:
    """Of several runs: means over clips and runs with both drawn again, set metrics by the jackknife over clips alone."""
    from bench.stats import crossed_interval, jackknife_interval

    if without is not None:
        return jackknife_interval(value, without)
    return None if clips is None else crossed_interval(clips.to_numpy().T)


def _unlike(record: Kept, column: Column) -> str:
    """Why a record's number cannot stand in `column`; "" where it can."""
    if not record.done:
        return f"failed: {_reason(record)}"
    told = record.told["scores"].get(column.id)
    if told is None or told.get("value") is None:
        own = column_ids(record.told["scores"])[column.metric.id]
        other = record.told["scores"].get(own, {})
        if other.get("value") is not None:
            return f"measured as {own}, the column as {column.id}"
        return other.get("why") or (told or {}).get("why") or f"the records have no {column.metric.label}"
    if told.get("n", 0) != column.n:
        return f"counts {told.get('n', 0)} clips, the column {column.n}"
    return ""


def _reason(record: Kept) -> str:
    return str(record.told.get("facts", {}).get("reason", "no reason given"))
