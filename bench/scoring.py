"""`bench score`: folders of generated sound against one folder of real sound, through the store, to records and a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import artefacts
from bench.identity import digest, plain
from bench.matching import choose, opened
from bench.outside import Outside
from bench.score_table import print_scored

if TYPE_CHECKING:
    import pandas as pd

    from bench.context import Context
    from bench.judges.base import Judge
    from bench.record import Record
    from bench.stats import Difference
    from bench.store import Store

__all__ = ["Comparison", "Scored", "System", "compare", "print_scored", "score_folders", "score_one"]


@dataclass(frozen=True)
class System:
    """The scores of one folder of sounds. folder: the artefact of the stage `score`."""

    name: str
    scores: dict[str, dict[str, Any]]
    folder: Path

    def rows(self) -> pd.DataFrame:
        """clip, sample, metric, value, status."""
        import pandas as pd

        return pd.read_csv(self.folder / "rows.csv", dtype={"clip": str}, keep_default_na=False, na_values={"value": [""]})

    def without(self) -> dict[str, list[float]]:
        """{metric of the set: its value without each block of clips}."""
        return json.loads((self.folder / "without.json").read_text())


@dataclass(frozen=True)
class Comparison:
    """`first` minus `second` in one metric; p after Holm's correction for all comparisons made together."""

    first: str
    second: str
    metric: str
    difference: Difference
    p: float | None


@dataclass(frozen=True)
class Scored:
    systems: list[System]
    comparisons: list[Comparison]
    clips: int
    notes: list[str] = field(default_factory=list)  # what was left out, and why
    records: list[Path] = field(default_factory=list)


def score_folders(
    generated: Sequence[Path],
    reference: Path,
    *,
    labels: Path | None = None,
    judges: Sequence[Judge],
    store: Store,
    ctx: Context,
    allow_missing: bool = False,
    words: Sequence[str] = (),
    results: Path | None = None,
) -> Scored:
    """The scores of each folder in `generated` against `reference`, paired by file name without suffix.

    labels: a csv with columns id and label; None: labels.csv in or above the reference, if there is one. results: where a record of each
    system goes, with its rows as CSV. Raises Refused for ids that do not pair (`bench.matching.choose`) and files that are no sound.
    """
    store.forget_failures()  # asked again: files may have been mended
    chosen = choose(*opened(generated, reference, labels), allow_missing=allow_missing)
    real = Outside.of(chosen.reference, chosen.clips, ctx)
    known = {id: label for id in chosen.clips if (label := chosen.reference.label(id))}
    systems = []
    for name, (sounds, ids) in chosen.systems.items():
        folder = score_one(Outside.of(sounds, ids, ctx), real, judges=judges, labels=known, store=store)
        systems.append(System(name, json.loads((folder / "scores.json").read_text()), folder))
    scored = Scored(systems, compare(systems), len(chosen.clips), chosen.notes)
    if results is not None:
        about = {"reference": str(chosen.reference.folder), "clips": len(chosen.clips), "clips_hash": digest(chosen.clips)}
        for system in systems:
            facts = {
                "system": system.name,
                "generated": str(chosen.systems[system.name][0].folder),
                **about,
                "labels": len(known),
            }
            record = _record(system, scored, facts | {"notes": chosen.notes}, judges, words)
            scored.records.append(record.write(results, system.rows().assign(system=system.name), system.without()))
    return scored


def score_one(
    made: Outside | Path, real: Outside | Path, *, judges: Sequence[Judge], labels: Mapping[str, str], store: Store
) -> Path:
    """The artefact of the stage `score` of one folder of sounds. Every judge hears each side once, and those that hear lengths hear clips
    that are longer or shorter than their real ones again, cut or padded as section 0 of metrics.md says.
    """
    heard = tuple(store(artefacts.judge, judge, made) for judge in judges)
    truth = tuple(store(artefacts.judge, judge, real) for judge in judges)
    pairs = store(artefacts.pairs, heard, truth)
    for judge in (j for j in judges if j.trims):
        heard += (store(artefacts.judge, judge, made, None, pairs, "made"),)
        truth += (store(artefacts.judge, judge, real, None, pairs, "real"),)
    return store(artefacts.score, heard, truth, dict(labels), pairs)


def compare(systems: Sequence[System]) -> list[Comparison]:
    """Every two systems in every column that both have, clip by clip; Holm's correction over all of them together."""
    from bench.aggregate import per_clip
    from bench.metrics import column_ids
    from bench.stats import holm, paired_means, paired_sets

    def means(system: System, id: str) -> dict[str, float]:
        rows = tables[system.name].get_group(id)
        return dict(zip(*per_clip(rows["clip"], rows["value"]), strict=True))

    tables = {s.name: s.rows().groupby("metric") for s in systems}
    found: list[tuple[str, str, str, Difference]] = []
    for first, second in combinations(systems, 2):
        for id in column_ids(first.scores).values():
            if any(s.scores.get(id, {}).get("value") is None for s in (first, second)):
                continue
            if id in first.without():
                values, left = [s.scores[id] for s in (first, second)], [s.without()[id] for s in (first, second)]
                if values[0]["n"] != values[1]["n"]:  # a set's distance grows as its clips get fewer
                    continue
                difference = paired_sets(values[0]["value"], values[1]["value"], *left, n=values[0]["n"])
            else:
                a, b = means(first, id), means(second, id)
                both = [clip for clip in a if clip in b]
                difference = paired_means([a[c] for c in both], [b[c] for c in both])
            found.append((first.name, second.name, id, difference))
    adjusted = holm([difference.p for *_, difference in found])
    return [Comparison(*which, p) for which, p in zip(found, adjusted, strict=True)]


def _record(system: System, scored: Scored, facts: dict[str, Any], judges: Sequence[Judge], words: Sequence[str]) -> Record:
    """What is kept of one system; its id follows from what was scored, so that scoring it again replaces it."""
    from bench.judges.base import told_judges
    from bench.record import Record

    against = [
        {"first": c.first, "second": c.second, "metric": c.metric, **asdict(c.difference), "p_holm": c.p}
        for c in scored.comparisons
        if system.name in (c.first, c.second)
    ]
    return Record(
        id=digest([system.folder.name, system.name]),
        kind="score",
        status="done",
        words=list(words),
        experiment={"judges": {judge.name: plain(judge) for judge in judges}},
        scores=system.scores,
        facts={**facts, "comparisons": against, "judges": told_judges(judges)},
        made={"scores": system.folder.name},
    )
