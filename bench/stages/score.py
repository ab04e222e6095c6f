"""Which generated clip belongs to which real one, and the scores of all pairs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.context import Context
from bench.errors import Failed, Refused
from bench.store import replace_file, write_json

if TYPE_CHECKING:
    from bench.listened import Listened

RATE = 22050  # Hz, in which lengths are counted
SLACK_S = 0.25  # lengths that differ by no more are both cut to the shorter
SAMPLE = re.compile(r"(?P<clip>.+)_sample_(?P<sample>\d+)")  # one of several generated clips, as SpecVQGAN names them


class Row(NamedTuple):
    """key: the generated clip's id. keep_*: samples at 22050 Hz to cut or pad to, None where a side stays as it is."""

    clip: str
    sample: int
    key: str
    keep_real: int | None = None
    keep_made: int | None = None
    status: str = "ok"  # or length_adjusted


def pairs(out: Path, part: Path, ctx: Context, heard: tuple[Path, ...], real: tuple[Path, ...]) -> None:
    """Write pairs.csv, one row per generated clip, and facts.json with how many lengths it changes.

    A judge that hears lengths (`extent`) must be among `heard` and `real` for lengths to be known; without one nothing is trimmed.
    Raises Refused if a generated clip has no real one.
    """
    from bench.listened import open_all

    rows = list(paired(open_all(heard), open_all(real)))

    def table(draft: Path) -> None:
        with open(draft, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(Row._fields)
            writer.writerows(rows)

    replace_file(out / "pairs.csv", table)
    trimmed = sum(r.keep_real is not None or r.keep_made is not None for r in rows)
    write_json(out / "facts.json", {"pairs": len(rows), "trimmed": trimmed, "adjusted": sum(r.status != "ok" for r in rows)})


def paired(heard: Mapping[str, Listened], real: Mapping[str, Listened]) -> Iterable[Row]:
    """One row per generated clip with the rule of lengths: within 0.25 s both are cut to the shorter; beyond it the generated one is
    cut or padded to the real one, and counted.
    """
    made_ids, real_ids = next(iter(heard.values())).ids, set(next(iter(real.values())).ids)
    lengths = next((n for n, side in heard.items() if "extent" in side.arrays and n in real), None)
    for key in made_ids:
        clip, sample = split_sample(key, real_ids)
        if clip not in real_ids:
            raise Refused(f"the generated clip {key!r} has no real one")
        if lengths is None:
            yield Row(clip, sample, key)
            continue
        made, truth = (int(side[lengths].arrays["extent"][id][0, 0]) for side, id in ((heard, key), (real, clip)))
        if abs(made - truth) <= SLACK_S * RATE:
            short = min(made, truth)
            yield Row(clip, sample, key, short if truth > short else None, short if made > short else None)
        else:
            yield Row(clip, sample, key, None, truth, "length_adjusted")


def split_sample(key: str, known: Iterable[str]) -> tuple[str, int]:
    """(clip, sample) of a generated clip's id: sample 3 of clip `x` is called x_sample_3, unless a real clip has that very name."""
    found = SAMPLE.fullmatch(key)
    if key in known or not found or found["clip"] not in known:
        return key, 0
    return found["clip"], int(found["sample"])


def read_pairs(folder: Path) -> list[Row]:
    """The rows of a `pairs` artefact."""
    with open(folder / "pairs.csv", newline="", encoding="utf-8") as file:
        number = lambda text: int(text) if text else None  # noqa: E731
        return [
            Row(r["clip"], int(r["sample"]), r["key"], number(r["keep_real"]), number(r["keep_made"]), r["status"])
            for r in csv.DictReader(file)
        ]


def score(
    out: Path,
    part: Path,
    ctx: Context,
    heard: tuple[Path, ...],
    real: tuple[Path, ...],
    labels: Mapping[str, str] | Path | None = None,
    pairs: Path | None = None,
    metrics: Sequence[str] | None = None,
) -> None:
    """Write rows.csv (clip, sample, metric, value, status), scores.json ({metric id: aggregate or why there is none}) and
    without.json (set metrics with each block of clips left out).

    heard, real: folders of the stage `judge`, one per judge and side, and those of clips heard at another length. labels: {clip: label},
    or an artefact whose clips have them. metrics: ids of the registry that are wanted, "{judge}" unfilled; None: all.
    Raises Failed naming a clip whose arrays no metric can take, that has no generated sound though it had a hint, or whose lengths
    differ without `pairs`.
    """
    from bench.aggregate import aggregate
    from bench.listened import open_all

    made_side, real_side = open_all(heard), open_all(real)
    rows = read_pairs(pairs) if pairs else list(paired(made_side, real_side))
    left = set(next(iter(real_side.values())).ids) - {r.clip for r in rows} - next(iter(made_side.values())).left_out
    if left:
        raise Failed(f"{len(left)} real clips have no generated sound, the first is {min(left)!r}")
    changed = [r for r in rows if r.keep_real is not None or r.keep_made is not None]
    if changed and not pairs:
        raise Failed(
            f"{len(changed)} clips differ in length from the real ones, the first is {changed[0].key}: make `pairs` first"
        )
    table, scores, without = aggregate(ctx, metrics, made_side, real_side, rows, _labels(labels))
    replace_file(out / "rows.csv", lambda draft: table.to_csv(draft, index=False))
    write_json(out / "scores.json", scores)
    write_json(out / "without.json", {id: values.tolist() for id, values in without.items()})


def _labels(labels: Mapping[str, str] | Path | None) -> dict[str, str]:
    if isinstance(labels, Path):
        from bench.sounds import Sounds

        opened = Sounds.open(labels)
        return {id: label for id in opened.ids if (label := opened.label(id))}
    return dict(labels or {})
