"""One judge listens to one folder of sounds: the generated ones or, with the same stage, the real ones."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Literal

from bench.context import Context
from bench.errors import Failed, Refused
from bench.judges.base import Judge, describe
from bench.judges.view import View
from bench.outside import Outside
from bench.ragged import Ragged
from bench.sounds import Sounds
from bench.store import write_json


def judge(
    out: Path,
    part: Path,
    ctx: Context,
    judge: Judge,
    sounds: Path | Outside,
    split: str | None = None,
    pairs: Path | None = None,
    side: Literal["made", "real"] = "made",
) -> None:
    """Write the judge's arrays (one ragged array per name it provides) and `heard.json`: who listened, to how many.

    split: only clips of this split. pairs: a `pairs` artefact; only the clips whose length it changes on this `side` are heard, at
    that length, under the generated clip's id. Raises Refused naming files that are no sound.
    """
    view = _trimmed(_open(sounds), pairs, side) if pairs else _all(_open(sounds), sounds, split)
    judge.listen(ctx, view, out)
    for name in judge.provides:
        if list(Ragged(out, name)) != list(view.ids):
            raise Failed(f"the judge {judge.name} did not give {name} for every clip")
    told = {**describe(judge), "clips": len(view.ids), "trimmed": pairs is not None}
    left_out = _left_out(sounds)
    write_json(out / "heard.json", told | ({"left_out": left_out} if left_out else {}))


def _left_out(sounds: Path | Outside) -> list[str]:
    """Ids of the clips for which the stage `sound` says that it had no hint, or no picture to make words of."""
    skipped = None if isinstance(sounds, Outside) else sounds / "skipped.json"
    told = json.loads(skipped.read_text()) if skipped and skipped.exists() else {}
    return sorted(id for ids in told.values() for id in ids)


def _open(sounds: Path | Outside) -> Sounds:
    return Sounds.open(sounds.root if isinstance(sounds, Outside) else sounds)


def _all(opened: Sounds, sounds: Path | Outside, split: str | None) -> View:
    ids = sounds.ids if isinstance(sounds, Outside) else opened.ids
    ids = tuple(i for i in ids if split is None or opened.split(i) == split)
    if not ids:
        raise Refused(f"{opened.folder} has no clips of split {split!r}")
    return View(opened, ids)


def _trimmed(opened: Sounds, pairs: Path, side: str) -> View:
    """The clips that `pairs` gives another length, by the generated clip's id: several of them may share a real one."""
    with open(pairs / "pairs.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row[f"keep_{side}"]]
    entries = {row["key"]: opened.entries[row["key"] if side == "made" else row["clip"]] for row in rows}
    # rate 0: decoded from the files, since waves that the clips artefact stores go by the clips' own ids
    return View(Sounds(opened.folder, entries), tuple(entries), {row["key"]: int(row[f"keep_{side}"]) for row in rows})
