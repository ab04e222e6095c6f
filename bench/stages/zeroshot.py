"""What each video looks like in words: the class whose name CLIP puts nearest to it (prompt=zeroshot)."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np

from bench.clipset import Clips
from bench.context import Context
from bench.data.base import Data
from bench.encoders import Names
from bench.errors import Failed
from bench.inverted import mean_looks, unit_length
from bench.ragged import Ragged
from bench.store import write_json

TEMPLATE = "a photo of {}"  # CLIP's own, without the article: labels are phrases ("playing violin fiddle")
COLUMNS = ("id", "label", "cosine")


def zeroshot(out: Path, part: Path, ctx: Context, names: Names, split: str, clips: Path, looks: Path, learn: Data) -> None:
    """Write labels.csv (id, label, cosine) for every clip of `split` that has a picture, and zeroshot.json.

    The label is the class of `learn`'s train split whose name, in the words of TEMPLATE, has the largest cosine with the mean of
    the normalised embeddings of the video's frames. zeroshot.json: how many classes and clips there were, the share of right ones
    among those whose own label is known, and what the commonest of these would have.
    Raises Failed where `learn` names no class.
    """
    ctx.torch()
    known, seen = Clips(clips, ctx.roots.get(clips.name)), Ragged(looks, "looks")
    classes = sorted({item.label for item in learn.items() if item.split == "train" and item.label})
    if not classes:
        raise Failed("prompt=zeroshot chooses among the labels of the train split, and no clip there has one: bring a labels.csv")
    ids = [id for id in known.ids(split) if id in seen and len(seen[id])]
    named = unit_length(names.load(ctx.device)([TEMPLATE.format(c.replace("_", " ")) for c in classes]))
    near = unit_length(mean_looks(seen, ids, unit=True)) @ named.T if ids else np.zeros((0, len(classes)), np.float32)
    chosen = near.argmax(1)
    with open(out / "labels.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows((id, classes[k], f"{row[k]:.6f}") for id, k, row in zip(ids, chosen, near, strict=True))
    told = {id: known.rows[id].label for id in ids if known.rows[id].label}
    right = sum(told[id] == classes[k] for id, k in zip(ids, chosen, strict=True) if id in told)
    facts: dict = {"classes": len(classes), "clips": len(ids), "labelled": len(told)}
    if told:
        facts |= {"acc": right / len(told), "chance": Counter(told.values()).most_common(1)[0][1] / len(told)}
    write_json(out / "zeroshot.json", facts)


def read(folder: Path) -> dict[str, str]:
    """{clip: label} as `zeroshot` wrote them."""
    with open(folder / "labels.csv", newline="", encoding="utf-8") as file:
        return {row["id"]: row["label"] for row in csv.DictReader(file)}
