"""The metrics by id: the eight columns of the paper's Table 1 first, their named variants after them."""

from __future__ import annotations

from collections.abc import Iterable

from bench.metrics import content, timing
from bench.metrics.base import Metric


def _registry() -> dict[str, Metric]:
    families = [
        *(content.fid_metrics(), content.kernel_metrics(), content.kl_metrics(), content.class_metrics()),
        *(timing.curve_metrics(), timing.onset_metrics(), timing.offset_metrics(), content.embedding_metrics()),
    ]
    listed = sorted((m for family in families for m in family), key=lambda m: not m.column)  # stable: the paper's order stays
    return {m.id: m for m in listed}


METRICS: dict[str, Metric] = _registry()


def columns() -> list[Metric]:
    """The eight of a table, in the paper's order."""
    return [m for m in METRICS.values() if m.column]


def found(judges: Iterable[tuple[str, frozenset[str]]]) -> tuple[dict[str, tuple[Metric, str]], dict[str, str]]:
    """What judges [(name, names of the arrays it provides)] can give: {metric id: (metric, judge)} in the registry's order, and
    {id without judge: reason} for each column that none of them gives.
    """
    judges = list(judges)
    there: dict[str, tuple[Metric, str]] = {}
    missing: dict[str, str] = {}
    for metric in METRICS.values():
        able = [name for name, provided in judges if not metric.lacks(provided)]
        for name in able:
            there.setdefault(metric.by(name).id, (metric.by(name), name))
        if not able and metric.column:
            wanted = " and ".join(n.replace("_", " ") for n in metric.lacks(frozenset()))
            missing[metric.id.replace(".{judge}", "")] = f"no judge gives {wanted}: add one with judges=[...]"
    return there, missing


def column_ids(scores: Iterable[str]) -> dict[str, str]:
    """{id of a column in the registry: which of the metric ids `scores` fills it}: of several judges the first; without any, the id
    under which the reason stands.
    """
    scores, filled = list(scores), {}
    for metric in columns():
        head, judged, _ = metric.id.partition("{judge}")
        able = [id for id in scores if id == metric.id or (judged and id.startswith(head) and "." not in id[len(head) :])]
        filled[metric.id] = able[0] if able else metric.id.replace(".{judge}", "")
    return filled
