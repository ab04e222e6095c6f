"""The lab world as files: mp4 in AVSync15's layout, and beside them what is true of each clip."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import cast

from bench.context import Context
from bench.data.lab import Lab
from bench.errors import Failed
from bench.lab.clip import make_clip
from bench.lab.world import FPS, KINDS, RATE, plan
from bench.store import write_json
from bench.workers import Crashed, spread


def world(out: Path, part: Path, ctx: Context, lab: Lab) -> None:
    """videos/CLASS/ID.mp4, train.txt, test.txt, class_mapping.json (folder: prompt) and truth.json (id: `bench.lab.clip.truth`).

    Clips are rendered into `part`, each written whole, by `ctx.workers` processes; what a stopped attempt left is kept.
    """
    jobs = [(lab, split, index, part) for split, count in lab.counts().items() for index in range(count)]
    lists: dict[str, list[str]] = {split: [""] * count for split, count in lab.counts().items()}
    known = {}
    answers = cast(Generator, spread("bench.stages.world:render", jobs, workers=min(ctx.workers, len(jobs))))
    with closing(answers):
        for (_, split, index, _), told in ctx.track(answers, "rendering the lab world", total=len(jobs)):
            if isinstance(told, Crashed):
                raise Failed(f"clip {index} of {split} of the lab world could not be rendered: its process ended ({told.code})")
            lists[split][index] = plan(lab, split, index).path.removeprefix("videos/")
            known[told["id"]] = {"split": split, "index": index, **told}
            ctx.check()
    for path in (f"videos/{line}" for names in lists.values() for line in names):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        _link(part / path, out / path)
    for split, names in lists.items():
        (out / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    write_json(out / "class_mapping.json", {kind.folder: kind.prompt for kind in KINDS})
    rows = (f"{json.dumps(id)}: {json.dumps(known[id])}" for id in sorted(known))  # one line a clip
    (out / "truth.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


def render(job: tuple[Lab, str, int, Path]) -> dict:
    """The truth of one clip, whose mp4 lies below `part` afterwards; one that is there already is left as it is."""
    from bench.media.write import write_mp4

    lab, split, index, part = job
    path = part / plan(lab, split, index).path
    missing = not path.exists()
    wave, frames, told = make_clip(lab, split, index, picture=missing)
    if frames is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_mp4(path, frames, FPS, wave, RATE)
    return told


def _link(made: Path, product: Path) -> None:
    """A second name where the file system has such; `part` stays whole until the store has the product."""
    try:
        os.link(made, product)
    except OSError:
        shutil.copyfile(made, product)
