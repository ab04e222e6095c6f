"""What is kept of a run: one JSON file, and its per-clip rows as CSV beside it. Reading them imports no component."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import strangers
from bench.errors import Refused

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Record:
    """scores: {metric id: {value, low, high, n, ...} or {value: null, why}}; rows: the CSV's path relative to the results folder."""

    id: str
    kind: str  # run, score
    status: str  # done, failed
    words: list[str]
    experiment: dict[str, Any]
    scores: dict[str, dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    rows: str | None = None

    def write(self, results: Path, rows: pd.DataFrame | None = None, without: dict[str, list[float]] | None = None) -> Path:
        """Put this record, and `rows` if given, under `results`; the path of the JSON.

        without: {metric of the set: its value without each block of clips}, kept beside the rows: its paired tests need it.
        """
        from bench.store import replace_file

        try:
            results.mkdir(parents=True, exist_ok=True)
            told = asdict(self)
            told["made"] |= {"written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}  # of two records the newer counts
            if rows is not None:
                (results / "rows").mkdir(exist_ok=True)
                told["rows"] = f"rows/{self.id}.csv"
                replace_file(results / told["rows"], lambda draft: rows.to_csv(draft, index=False))
            if without is not None:
                left = json.dumps(_finite(without)) + "\n"
                replace_file(results / "rows" / f"{self.id}.without.json", lambda draft: draft.write_text(left))
            text = json.dumps(_finite(told), indent=1, ensure_ascii=False) + "\n"
            path = results / f"{self.id}.json"
            replace_file(path, lambda draft: draft.write_text(text))
        except OSError as error:
            raise Refused(
                f"cannot write the record to {results}: {error.strerror}; choose another folder with machine.results=..."
            ) from error
        return path


def read(results: Path) -> list[dict[str, Any]]:
    """Every record under `results`, oldest id first; Refused naming a file that is none."""
    return [strangers.record(path) for path in sorted(Path(results).glob("*.json"))]


def frame(results: Path | str = "results") -> pd.DataFrame:
    """All records as one table, a row each; columns are dotted paths such as `experiment.control.bound` or `scores.mkl.lab.value`."""
    import pandas as pd

    return pd.json_normalize(read(Path(results)))


def rows(results: Path | str = "results", ids: Iterable[str] | None = None) -> pd.DataFrame:
    """The per-clip rows of all records, or of those with `ids`: columns record, system, clip, sample, metric, value, status.

    Raises Refused naming the record whose rows are missing.
    """
    import pandas as pd

    results, wanted, parts = Path(results), None if ids is None else set(ids), []
    for told in read(results):
        if told.get("rows") is None or (wanted is not None and told["id"] not in wanted):
            continue
        part = strangers.rows(strangers.within(results, told["rows"], f"record {told['id']}"))
        part.insert(0, "record", told["id"])
        parts.append(part)
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["record", "clip", "sample", "metric", "value", "status"])
    )


def _finite(value):
    """JSON has no NaN: None stands for it."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
