"""From pairs of clips to scores: a row per clip and metric, and of each metric one number with its interval, chance and ceiling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.context import Context
from bench.errors import Failed
from bench.metrics import METRICS, found
from bench.metrics.base import Metric, Pair
from bench.metrics.classes import index_of, indices
from bench.stats import blocks, jackknife_interval, mean_interval, mismatched, replicates

if TYPE_CHECKING:
    import pandas as pd

    from bench.listened import Listened
    from bench.stages.score import Row

FILLED = ("features", "logits")  # arrays that say nothing where they have no row; no onsets are an answer


def aggregate(
    ctx: Context,
    wanted: Iterable[str] | None,
    heard: Mapping[str, Listened],
    real: Mapping[str, Listened],
    rows: Sequence[Row],
    labels: Mapping[str, str],
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """(rows, scores, set metrics without each block of clips) of the pairs in `rows`, for the metrics in `wanted` (None: all) that judges allow."""
    import pandas as pd

    judges = [(name, frozenset(heard[name].arrays)) for name in heard if name in real]
    there, missing = found(judges)
    scores: dict[str, dict[str, Any]] = {id: {"value": None, "why": why} for id, why in missing.items()}
    pairs = {name: _pairs(heard[name], real[name], rows, labels) for name, _ in judges}
    chance = {name: _mixed(of) for name, of in pairs.items()}
    adjusted = [r.status == "length_adjusted" for r in rows]
    parts: list[pd.DataFrame] = []
    without: dict[str, np.ndarray] = {}
    ids = None if wanted is None else {METRICS[w].by(judge).id for w in wanted for judge, _ in judges}
    chosen = {id: by for id, by in there.items() if ids is None or id in ids}
    for id, (metric, judge) in ctx.track(chosen.items(), "scoring", total=len(chosen)):
        ctx.check()
        if "label" in metric.needs and not labels:
            scores[id] = {"value": None, "why": "no labels: give --labels with a table of the columns id and label"}
        elif metric.kind == "set":
            scores[id], without[id] = _of_set(metric, pairs[judge])
        else:
            values, statuses = _values(metric, pairs[judge])
            statuses = ["length_adjusted" if s == "ok" and a else s for s, a in zip(statuses, adjusted, strict=True)]
            clips = [(r.clip, r.sample) for r in rows]
            parts.append(pd.DataFrame(clips, columns=["clip", "sample"]).assign(metric=id, value=values, status=statuses))
            scores[id] = _of_mean(metric, pairs[judge], chance[judge], values, statuses)
        scores[id] |= {"unit": metric.unit, "better": metric.better}
    table = (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["clip", "sample", "metric", "value", "status"])
    )
    return table, scores, without


def per_clip(clips: Iterable[str], values: Iterable[float]) -> tuple[list[str], np.ndarray]:
    """(clips, values): the mean over each clip's samples that have a value; clips without any are left out. In the clips' order."""
    found: dict[str, list[float]] = {}
    for clip, value in zip(clips, values, strict=True):
        if np.isfinite(value):
            found.setdefault(clip, []).append(float(value))
    return list(found), np.array([np.mean(v) for v in found.values()])


def _pairs(heard: Listened, real: Listened, rows: Sequence[Row], labels: Mapping[str, str]) -> list[Pair]:
    known = indices(heard.classes)
    at = {r.clip: index_of(labels.get(r.clip), known) for r in rows}
    among = frozenset(i for i in at.values() if i is not None)
    return [
        Pair(r.clip, real.of(r.key, r.clip), heard.of(r.key, r.key), sample=r.sample, label=at[r.clip], among=among) for r in rows
    ]


def _value(metric: Metric, pair: Pair) -> tuple[float, str]:
    if not _complete(metric, pair):
        return np.nan, "undefined"
    try:
        return metric.of(pair)
    except ValueError as error:
        raise Failed(f"{metric.id} of clip {pair.clip!r}: {error}") from error


def _complete(metric: Metric, pair: Pair) -> bool:
    sides = {"made": pair.made, "real": pair.real}
    named = (need.partition(".")[::2] for need in metric.needs if "." in need)
    return all(len(sides[side][name]) for side, name in named if name in FILLED)


def _values(metric: Metric, pairs: Sequence[Pair]) -> tuple[np.ndarray, list[str]]:
    valued = [_value(metric, p) for p in pairs]
    return np.array([v for v, _ in valued], np.float64), [s for _, s in valued]


def _of_mean(
    metric: Metric, pairs: Sequence[Pair], mixed: Sequence[Pair], values: np.ndarray, statuses: Sequence[str]
) -> dict[str, Any]:
    _, means = per_clip([p.clip for p in pairs], values)
    counts = Counter(statuses)
    told = {name: counts[name] for name in ("undefined", "penalised", "length_adjusted")}
    if not len(means):
        return {"value": None, "why": f"undefined for all {len(pairs)} clips", "n": 0, **told}
    low, high = mean_interval(means, fraction=metric.unit == "%") or (None, None)
    return {
        "value": float(means.mean()),
        "low": low,
        "high": high,
        "n": len(means),
        **told,
        "chance": _mean(metric, mixed) if metric.chance else None,
        "ceiling": _mean(metric, _themselves(pairs)) if metric.ceiling else None,
    }


def _mean(metric: Metric, pairs: Sequence[Pair]) -> float | None:
    values, _ = _values(metric, pairs)
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _firsts(pairs: Sequence[Pair]) -> list[Pair]:
    """One pair per clip: its first sample."""
    return list({p.clip: p for p in reversed(pairs)}.values())[::-1]


def _mixed(pairs: Sequence[Pair]) -> list[Pair]:
    """One clip's real sound and label beside another clip's generated sound: what the metrics of mere chance are."""
    first = _firsts(pairs)
    return [replace(first[i], made=first[j].made, kept={}) for i, j in mismatched(len(first))]


def _themselves(pairs: Sequence[Pair]) -> list[Pair]:
    """The real clips in the place of the generated ones: the ceiling."""
    return [replace(p, made=p.real, kept={}) for p in _firsts(pairs)]


def _of_set(metric: Metric, pairs: Sequence[Pair]) -> tuple[dict[str, Any], np.ndarray]:
    whole = [p for p in pairs if _complete(metric, p)]
    clips = list(dict.fromkeys(p.clip for p in whole))
    told: dict[str, Any] = {"n": len(clips), "undefined": len(pairs) - len(whole), "penalised": 0, "length_adjusted": 0}
    if len(clips) < 2:
        return {"value": None, "why": f"needs two clips or more, got {len(clips)}", **told}, np.empty(0)
    place = {clip: i for i, clip in enumerate(clips)}

    def statistic(kept: np.ndarray) -> float:
        inside = np.zeros(len(clips), bool)
        inside[kept] = True
        return metric.of([p for p in whole if inside[place[p.clip]]])

    try:
        value = statistic(np.arange(len(clips)))
        if not np.isfinite(value):
            return {"value": None, "why": f"undefined for these {len(clips)} clips", **told}, np.empty(0)
        left_out = replicates(statistic, len(clips), blocks(len(clips))) if len(clips) > 2 else np.empty(0)
    except ValueError as error:
        raise Failed(f"{metric.id}: {error}") from error
    low, high = jackknife_interval(value, left_out) or (None, None)
    return {"value": value, "low": low, "high": high, **told, "chance": None, "ceiling": None}, left_out
