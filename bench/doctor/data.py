"""Whether a data set is where it should be, and how many clips of it there are."""

from __future__ import annotations

import os
from collections import Counter

from bench.data.base import Data
from bench.doctor.line import Line
from bench.errors import Refused

PUBLISHED = {"AVSync15": {"train": 1350, "test": 150}}  # train with val, which is a tenth of it here
LOOKED_AT = 20_000  # files whose presence is asked one by one; of larger sets as many, evenly


def counts(data: Data) -> tuple[Line, int]:
    """One line, and how many clips there are."""
    name, root = type(data).__name__, str(getattr(data, "root", ""))
    what = "data.root"
    if data.rendered:
        clips = sum(int(getattr(data, split, 0)) for split in ("train", "val", "test"))
        return Line(True, "data", f"{name}: made here when it is needed, {clips} clips"), clips
    try:
        items = data.items()
    except (Refused, OSError) as error:
        holds = getattr(data, "holds", "the data set")
        there = os.path.exists(root)
        told = str(error) if there else f"no {os.path.abspath(root)}"
        return Line(False, what, f"{name}: {told}", f"put {holds} there, or give data.root=DIR"), 0
    many = Counter(i.split for i in items)
    told = ", ".join(f"{many[s]:,} {s}" for s in ("train", "val", "test") if many[s])
    every = max(1, len(items) // LOOKED_AT)
    some = items[::every]
    missing = [i for i in some if not os.path.exists(str(i.audio or i.video))]
    share, bound = len(missing) / len(some), float(getattr(data, "max_bad", 0.01))
    if share > bound:
        lost = f"{len(missing)} of {len(some)} files looked at are missing, the first {missing[0].audio or missing[0].video}"
        return Line(False, what, f"{name} in {root}: {told}; {lost}", f"fetch them, or data.max_bad={share + 0.005:.2f}"), len(
            items
        )
    if not many["test"]:
        return Line(False, what, f"{name} in {root}: {told}; there is no test clip", "see the split lists of the data set"), len(
            items
        )
    return _as_published(data, name, root, told, many), len(items)


def _as_published(data: Data, name: str, root: str, told: str, many: Counter) -> Line:
    published = PUBLISHED.get(name)
    if published and not getattr(data, "clips", 0) and not getattr(data, "exclude", ""):
        there = {"train": many["train"] + many["val"], "test": many["test"]}
        if there != published:
            wanted = " and ".join(f"{n:,} {s}" for s, n in published.items())
            return Line(False, "data.root", f"{name} in {root}: {told}; published are {wanted}",
                        "fetch the rest, or say with data.clips=N that fewer are meant")  # fmt: skip
    return Line(True, "data.root", f"{name} in {root}: {told}")
