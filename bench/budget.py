"""`bench budget`: which part of the predictor costs how much of the gap between true and predicted hints, by metric and by class."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import chain
from bench.aggregate import per_clip
from bench.clipset import Clips
from bench.errors import Refused
from bench.experiment import Experiment
from bench.identity import digest, told
from bench.metrics import METRICS, column_ids
from bench.metrics.base import Metric
from bench.record import Record
from bench.scoring import System
from bench.shapley import Part, shapley, subsets
from bench.stats import jackknife_interval, mean_interval
from bench.store import Store

MOST = 4  # heads: two to the power of them are sounds to generate


@dataclass(frozen=True)
class Share:
    """What predicting `part` adds to a metric, in the metric's own unit; shares of all parts add up to the gap."""

    metric: str
    part: str
    label: str  # the clips' class; "" for all clips
    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Gap:
    """A metric by true and by predicted hints. label: the clips' class, "" for all."""

    metric: str
    label: str
    true: float
    predicted: float
    n: int

    @property
    def value(self) -> float:
        return self.predicted - self.true


@dataclass(frozen=True)
class Budget:
    """Everything `bench budget` found; `systems` by which parts were predicted ("none", "energy", "energy, code", ...)."""

    name: str
    parts: tuple[str, ...]
    systems: dict[str, System]
    gaps: tuple[Gap, ...]
    shares: tuple[Share, ...]

    def gap(self, metric: str, label: str = "") -> Gap | None:
        return next((g for g in self.gaps if (g.metric, g.label) == (metric, label)), None)

    def of(self, metric: str, label: str = "") -> list[Share]:
        """One share per part, in their order."""
        return [s for s in self.shares if (s.metric, s.label) == (metric, label)]

    @property
    def metrics(self) -> list[str]:
        return list(dict.fromkeys(g.metric for g in self.gaps))

    @property
    def labels(self) -> list[str]:
        return sorted({g.label for g in self.gaps if g.label})


def variants(x: Experiment) -> dict[Part, Experiment]:
    """{parts that are predicted: the experiment}, 2^n of them; the whole and the empty one are those of `bench run`.

    Raises Refused for a control with nothing to predict, or with more than four parts.
    """
    parts = tuple(x.control.heads())
    if not parts or x.watches:
        raise Refused("bench budget: this control predicts nothing from the video, so its gap has no parts")
    if len(parts) > MOST:
        raise Refused(
            f"bench budget: {len(parts)} heads need {2 ** len(parts)} generated sets, at most {MOST} heads are taken apart"
        )
    named = {frozenset(): "none", frozenset(parts): "all"}
    return {s: replace(x, predicted=named.get(s) or tuple(p for p in parts if p in s)) for s in subsets(parts)}


def budget(x: Experiment, store: Store, name: str) -> Budget:
    """Generate and score all combinations of true and predicted parts from the same noise, and share out the gap."""
    every = variants(x)
    wanted = {s: chain.scores(one, store) for s, one in every.items()}
    systems = {}
    for chosen, folder in wanted.items():
        store.need(folder)
        title = ", ".join(p for p in x.control.heads() if p in chosen) or "none"
        systems[title] = System(title, json.loads((folder / "scores.json").read_text()), folder)
    clips = Clips(store.need(chain.decoded(x.data, store))).rows
    return shared(name, tuple(x.control.heads()), systems, {id: clip.label for id, clip in clips.items()})


def shared(name: str, parts: tuple[str, ...], systems: Mapping[str, System], labels: Mapping[str, str]) -> Budget:
    """The budget of scored systems, one for each set of predicted parts, by the name that lists them."""
    by_set = {frozenset(title.split(", ")) - {"none"}: system for title, system in systems.items()}
    whole, none = by_set[frozenset(parts)], by_set[frozenset()]
    gaps: list[Gap] = []
    shares: list[Share] = []
    for id in column_ids(none.scores).values():
        if any(s.scores.get(id, {}).get("value") is None for s in by_set.values()):
            continue
        if id in none.without():
            gaps.append(Gap(id, "", none.scores[id]["value"], whole.scores[id]["value"], none.scores[id]["n"]))
            shares += _of_set(id, parts, by_set)
            continue
        values, clips = _by_clip(id, by_set)
        of = {"": np.ones(len(clips), bool)} | {
            label: np.array([labels.get(c) == label for c in clips])
            for label in sorted({labels.get(c) or "" for c in clips} - {""})
        }
        each = shapley(parts, lambda s, values=values: values[s])
        for label, mine in of.items():
            first, last = values[frozenset()][mine], values[frozenset(parts)][mine]
            gaps.append(Gap(id, label, float(first.mean()), float(last.mean()), int(mine.sum())))
            for part in parts:
                low, high = mean_interval(each[part][mine]) or (None, None)
                shares.append(Share(id, part, label, float(each[part][mine].mean()), low, high, int(mine.sum())))
    return Budget(name, parts, dict(systems), tuple(gaps), tuple(shares))


def _by_clip(id: str, systems: Mapping[Part, System]) -> tuple[dict[Part, np.ndarray], list[str]]:
    """({set: [clips]}, clips) of the clips that have a value in every system."""
    found: dict[Part, dict[str, float]] = {}
    for chosen, system in systems.items():
        rows = system.rows()
        rows = rows[rows["metric"] == id]
        found[chosen] = dict(zip(*per_clip(rows["clip"], rows["value"]), strict=True))
    clips = [c for c in next(iter(found.values())) if all(c in values for values in found.values())]
    return {chosen: np.array([values[c] for c in clips]) for chosen, values in found.items()}, clips


def _of_set(id: str, parts: tuple[str, ...], systems: Mapping[Part, System]) -> list[Share]:
    """Shares of a set metric; their intervals by the jackknife of the shares, the same blocks of clips leaving every system."""
    each = shapley(parts, lambda s: systems[s].scores[id]["value"])
    left = {s: np.array(system.without()[id], np.float64) for s, system in systems.items()}
    n = next(iter(systems.values())).scores[id]["n"]
    alike = len({len(v) for v in left.values()}) == 1
    jack = shapley(parts, lambda s: left[s]) if alike else {}
    shares = []
    for part in parts:
        low, high = (jackknife_interval(float(each[part]), jack[part]) if alike else None) or (None, None)
        shares.append(Share(id, part, "", float(each[part]), low, high, n))
    return shares


def metric(id: str) -> Metric:
    """The registry's metric of an id that a judge's name may end."""
    return METRICS.get(id) or METRICS[f"{id.rpartition('.')[0]}.{{judge}}"]


def record(x: Experiment, found: Budget, words: Sequence[str]) -> Record:
    """What is kept of a budget; the same experiment again replaces it."""
    facts: dict[str, Any] = {
        "parts": list(found.parts),
        "systems": {title: s.scores for title, s in found.systems.items()},
        "gaps": [asdict(g) for g in found.gaps],
        "shares": [asdict(s) for s in found.shares],
    }
    return Record(
        id=digest(["budget", replace(x, predicted="all")]),
        kind="budget",
        status="done",
        words=[w for w in words if not w.startswith("machine")],
        experiment={"name": found.name} | told(replace(x, predicted="all")),
        scores={},
        facts=facts,
        made={"scores": {title: s.folder.name for title, s in found.systems.items()}},
    )


def write(found: Budget, out: Path, stem: str) -> list[Path]:
    """The shares as CSV and the picture as PNG and SVG under `out`."""
    import csv
    import io

    from bench.budget_picture import picture
    from bench.store import replace_file

    out.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["metric", "class", "part", "share", "low", "high", "gap", "true", "predicted", "clips"])
    for s in found.shares:
        gap = found.gap(s.metric, s.label)
        assert gap
        ends = ["" if v is None else repr(v) for v in (s.low, s.high)]
        table.writerow(
            [s.metric, s.label, s.part, repr(s.value), *ends, repr(gap.value), repr(gap.true), repr(gap.predicted), s.n]
        )
    path = out / f"{stem}.csv"
    replace_file(path, lambda draft: draft.write_text(text.getvalue(), encoding="utf-8"))
    return [path, *picture(found, out / stem)]
