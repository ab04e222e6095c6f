"""Whether sound follows its hint: the same clips and noise under true, shuffled, shifted and zeroed hints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from bench import artefacts, chain, identity
from bench.experiment import Experiment
from bench.identity import digest
from bench.lag import CURVE, lags
from bench.record import Record
from bench.scoring import Comparison, System, compare
from bench.stages.distort import SHIFT_S, Way
from bench.store import Store

if TYPE_CHECKING:
    from bench.metrics.base import Metric

__all__ = ["SHIFT_S", "Response", "record", "respond", "told"]

TIMING = ("onset_acc.condfoley", "onset_f1.condfoley", "w_dis.flux_lin")
CONTENT = "mkl.{judge}"  # by the first judge of classes, where there is one
MUST = ("shuffled", "shifted")  # ways that have to change the sound: another clip's hint in time or content, a late one in time
SURE = 0.05  # p, corrected for all comparisons of the check, below which a difference is one


@dataclass(frozen=True)
class Response:
    systems: list[System]  # true hints first
    comparisons: list[Comparison]  # true minus each of the others
    later: list[float] = field(
        default_factory=list
    )  # seconds by which each clip's sound is later under shifted hints than under true

    def deaf(self) -> list[str]:
        """The ways that have to change the sound and did not: nothing that they must move differs from that of true hints."""
        moved = [c for c in self.comparisons if c.p is not None and c.p < SURE]
        heard = {c.second for c in moved if c.metric in TIMING}
        heard |= {c.second for c in moved if c.second == "shuffled" and c.metric.startswith(CONTENT.removesuffix("{judge}"))}
        return [way for way in MUST if way not in heard]


def respond(x: Experiment, store: Store) -> Response:
    """Generate and score the clips of `x` under its true hints and under each wrong way, from the same noise."""
    x = replace(x, predicted="none")
    folders: dict[str, Path] = {"true": chain.scores(x, store)}
    folders |= {way: chain.scored(x, chain.misled(x, way, store), store) for way in get_args(Way)}
    systems = []
    for name, folder in folders.items():
        store.need(folder)
        systems.append(System(name, json.loads((folder / "scores.json").read_text()), folder))
    return Response(systems, _against_first(systems), _later(x, store))


def _later(x: Experiment, store: Store) -> list[float]:
    """The lag of each clip whose judge of timing gives the curve it is found from; [] if none of the judges does."""
    judge = next((j for j in x.judges if CURVE in getattr(j, "curves", ())), None)
    if judge is None:
        return []
    heard = [
        store(artefacts.judge, judge, sound, x.split) for sound in (chain.sound(x, store), chain.misled(x, "shifted", store))
    ]
    for folder in heard:
        store.need(folder)
    return list(lags(*heard).values())


def _against_first(systems: Sequence[System]) -> list[Comparison]:
    from bench.run import corrected

    read = shown(systems)
    return corrected([c for other in systems[1:] for c in compare([systems[0], other]) if c.metric in read])


def shown(systems: Sequence[System]) -> dict[str, Metric]:
    """{metric id: metric} of what a check reads: timing, and what sounds where a judge of `systems` tells classes."""
    from bench.metrics import METRICS, column_ids

    content = column_ids(systems[0].scores)[CONTENT]
    able = all(s.scores.get(content, {}).get("value") is not None for s in systems)
    return {id: METRICS[id] for id in TIMING} | ({content: METRICS[CONTENT]} if able else {})


def record(x: Experiment, response: Response, words: list[str]) -> Record:
    """What is kept of a check; the same experiment checked again replaces it."""
    against = [{"second": c.second, "metric": c.metric, **asdict(c.difference), "p_holm": c.p} for c in response.comparisons]
    return Record(
        id=digest(["response", replace(x, predicted="none")]),
        kind="response",
        status="done",
        words=[w for w in words if not w.startswith("machine")],
        experiment=identity.told(x),
        scores={},
        facts={
            "systems": {s.name: s.scores for s in response.systems},
            "true minus": against,
            "deaf": response.deaf(),
            "later_s": response.later,
        },
        made={"scores": {s.name: s.folder.name for s in response.systems}},
    )


def told(response: Response) -> Iterator[str]:
    """The lines of `bench check`: a row for each kind of hint with p against true hints, then chance."""
    metrics = shown(response.systems)
    yield f"{'hints':10}" + "".join(f"{m.heading:>14}" for m in metrics.values())
    for system in response.systems:
        values = (f"{system.scores[id]['value'] * m.scale:>14.{m.digits}f}" for id, m in metrics.items())
        yield f"{system.name:10}" + "".join(values)
        against = [c for c in response.comparisons if c.second == system.name]
        if against:
            by = {c.metric: c.p for c in against}
            yield f"{'  p':10}" + "".join(f"{'' if by.get(id) is None else f'{by[id]:.3f}':>14}" for id in metrics)
    chance = [response.systems[0].scores[id].get("chance") for id in metrics]
    row = (f"{'' if v is None else f'{v * m.scale:.{m.digits}f}':>14}" for m, v in zip(metrics.values(), chance, strict=True))
    yield f"{'chance':10}" + "".join(row)
    if response.later:
        low, middle, high = np.percentile(response.later, (25, 50, 75))
        yield (
            f"Under hints {SHIFT_S} s late the sound is {middle:.2f} s later than under true ones (median of {len(response.later)} clips, "
            f"quartiles {low:.2f} and {high:.2f}; where their onset strength curves agree best within 0.5 s)."
        )
