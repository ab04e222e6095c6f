"""What a record's rows alone say again: means, counts, intervals, and the interval of a set metric around its value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.aggregate import per_clip
from bench.stats import jackknife_interval, mean_interval

if TYPE_CHECKING:
    import pandas as pd


def means(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """{metric: value, low, high, n and counts} as `bench.aggregate` makes them of per-clip rows."""
    from bench.metrics import METRICS

    percent = {metric.id.split(".{")[0] for metric in METRICS.values() if metric.unit == "%"}
    found: dict[str, dict[str, Any]] = {}
    for id, part in rows.groupby("metric", sort=False):
        _, values = per_clip(part["clip"], part["value"])
        counts = Counter(part["status"])
        told: dict[str, Any] = {name: counts[name] for name in ("undefined", "penalised", "length_adjusted")}
        told["n"] = len(values)
        if len(values):
            fraction = str(id) in percent or str(id).rpartition(".")[0] in percent
            low, high = mean_interval(values, fraction=fraction) or (None, None)
            told |= {"value": float(values.mean()), "low": low, "high": high}
        else:
            told["value"] = None
        found[str(id)] = told
    return found


def sets(scores: Mapping[str, Mapping[str, Any]], without: Mapping[str, Sequence[float | None]]) -> dict[str, dict[str, Any]]:
    """{set metric: low, high} from the record's own value and its replicates."""
    found = {}
    for id, left in without.items():
        value = scores.get(id, {}).get("value")
        if value is not None and left:
            low, high = jackknife_interval(value, np.array(left, np.float64)) or (None, None)
            found[id] = {"low": low, "high": high}
    return found
