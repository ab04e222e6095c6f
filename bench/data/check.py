"""What is wrong with a data set before anything is made of it: files, sound, ids, and clips that two splits or two data sets share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from bench.context import Context, Progress
from bench.data.base import Data, Item
from bench.data.decode import KINDS, decode
from bench.data.files import Listed, duplicates, folder, scan, tenth, without
from bench.data.ids import origin, unsafe
from bench.errors import Refused
from bench.identity import digest
from bench.store import replace_file

AT_ONCE = 16  # clips that a worker decodes before it answers
MEANING = {
    "duplicate id": "listed more than once",
    "unsafe id": "cannot name a file",
    "missing": "listed, no file",
    "undecodable": "not sound or video, or damaged",
    "no audio": "no sound in the file",
    "mute": "nothing above -80 dB",
    "too short": "less sound than data.min_seconds",
    "train and test": "same source clip in train or val, and in test",
}


class Found(NamedTuple):
    """One clip with one problem."""

    id: str
    why: str


@dataclass(frozen=True)
class Check:
    """What `check` found. `problems` by kind, as in MEANING; kinds without any are left out."""

    name: str  # the reader's class
    root: str
    hash: str | None  # of the list in use; None where the list itself is refused
    counts: dict[str, dict[str, int]]  # clips by split and label, as listed; "" where there is no label
    problems: dict[str, list[Found]]
    shared: dict[str, list[Found]] = field(default_factory=dict)  # source clips in common with other data sets, by their names
    decoded: int = 0  # clips that were decoded
    seconds: float = 0.0  # of usable sound
    max_bad: float = 0.01
    refused: str | None = None  # why the list cannot be used at all
    excluded: int = 0  # clips that data.exclude leaves out
    leaks: dict[str, list[Found]] = field(default_factory=dict)  # `shared` clips of test here that are in train or val there

    @property
    def listed(self) -> int:
        return sum(sum(labels.values()) for labels in self.counts.values())

    @property
    def unusable(self) -> list[str]:
        """Ids of clips that the stage `clips` would leave out."""
        return sorted({f.id for kind in KINDS for f in self.problems.get(kind, [])})

    @property
    def ok(self) -> bool:
        """Whether a run on this data would start: the list can be used and no more clips than max_bad are unusable."""
        return self.refused is None and len(self.unusable) <= self.max_bad * self.listed and len(self.unusable) < self.listed


def check(data: Data, against: Sequence[Data] = (), ctx: Context | None = None, *, decode: bool = True) -> Check:
    """Count what `data` lists, decode every clip (unless told not to) and look for clips that must not be there twice.

    Clips are one if they come from the same second of the same YouTube video, whatever they are called; where names do not tell, if
    they have the same id. One bad file never stops the rest. Raises Refused if there is no list to look at.
    """
    ctx = ctx or Context()
    found, digest, refused = _list(data)
    problems: dict[str, list[Found]] = {}
    ids = duplicates(found)
    problems["duplicate id"] = [Found(id, " and ".join(_file(i) for i in found if i.id == id)) for id in ids]
    problems["unsafe id"] = [Found(i.id, why) for i in found if (why := unsafe(i.id))]
    problems["train and test"] = _twice(found)
    decoded = seconds = 0
    if decode:
        unique = list({i.id: i for i in found}.values())
        decoded, seconds, unusable = _decode(unique, getattr(data, "min_seconds", 0.5), ctx)
        problems |= unusable
    else:
        problems["missing"] = [Found(i.id, _file(i)) for i in found for p in (i.video, i.audio) if p and not Path(p).exists()]
    counts: dict[str, Counter[str]] = {}
    for i in found:
        counts.setdefault(i.split, Counter())[i.label or ""] += 1
    shared = {f"{type(o).__name__} {getattr(o, 'root', '')}".strip(): _common(found, o) for o in against}
    return Check(
        type(data).__name__,
        str(getattr(data, "root", "")),
        digest,
        {split: dict(sorted(c.items())) for split, c in sorted(counts.items())},
        {kind: problems[kind] for kind in MEANING if problems.get(kind)},
        {name: [f for f, _ in pairs] for name, pairs in shared.items()},
        decoded,
        seconds,
        getattr(data, "max_bad", 0.01),
        refused,
        _excluded(data) if refused is None else 0,
        {name: [f for f, leaks in pairs if leaks] for name, pairs in shared.items()},
    )


def _list(data: Data) -> tuple[list[Item], str | None, str | None]:
    """(every listed clip, the hash of the list, why it cannot be used): a list with duplicates is still looked at."""
    try:
        items, identity = data.items(), data.identity()
        return items, identity.get("hash") or digest(identity), None
    except Refused as error:
        if not isinstance(data, Listed):
            raise
        root = folder(data.root, data.holds)
        found = data.listed(root, scan(root)[0])
        if not found:
            raise
        return without(tenth(found), data.exclude), None, str(error)


def decode_some(job: tuple[list[Item], float]) -> list[tuple[str, str, float]]:
    """(kind of problem or "", reason, seconds of sound) of each clip of a job, in a worker."""
    from bench.media import BadMedia

    told = []
    for item in job[0]:
        try:
            media = decode(item, 16000, min_seconds=job[1])
            told.append(("", "", len(media.wave) / media.rate))
        except BadMedia as error:
            told.append((error.kind, str(error), 0.0))
        except Exception as error:  # whatever a file does to a decoder is that file's problem
            told.append(("undecodable", f"{_file(item)}: {type(error).__name__}: {error}", 0.0))
    return told


def _decode(items: list[Item], min_seconds: float, ctx: Context) -> tuple[int, float, dict[str, list[Found]]]:
    from bench.workers import Crashed, spread

    problems: dict[str, list[Found]] = {}
    seconds = 0.0
    size = max(1, min(AT_ONCE, len(items) // (4 * max(1, ctx.workers))))
    jobs = [(items[k : k + size], min_seconds) for k in range(0, len(items), size)]
    bar = Progress("decoding", len(items), quiet=ctx.quiet)
    while jobs:
        again = []
        with closing(spread("bench.data.check:decode_some", jobs, workers=ctx.workers)) as answers:
            for job, told in answers:
                ctx.check()
                if isinstance(told, Crashed) and len(job[0]) > 1:
                    again += [([item], min_seconds) for item in job[0]]  # one of them kills its decoder: which?
                    continue
                rows = [("undecodable", f"{_file(job[0][0])}: {told}", 0.0)] if isinstance(told, Crashed) else told
                for item, (kind, why, length) in zip(job[0], rows, strict=True):
                    seconds += length
                    if kind:
                        problems.setdefault(kind, []).append(Found(item.id, why))
                bar.advance(len(job[0]))
        jobs = again
    bar.close()
    return len(items), seconds, {kind: sorted(rows) for kind, rows in problems.items()}


def _file(item: Item) -> str:
    return str(item.audio or item.video)


def _twice(found: list[Item]) -> list[Found]:
    """Test clips whose source is in train or val as well."""
    elsewhere = {}
    for i in found:
        if i.split != "test":
            elsewhere.setdefault(origin(i.id) or i.id, i)
    pairs = ((i, elsewhere.get(origin(i.id) or i.id)) for i in found if i.split == "test")
    return [Found(i.id, f"{other.split}: {other.id}") for i, other in pairs if other]


def _common(found: list[Item], other: Data) -> list[tuple[Found, bool]]:
    """(clip, whether it is tested here and learnt from there) for those of `found` whose source is in `other`; a clip learnt from counts."""
    theirs: dict = {}
    for i in sorted(_list(other)[0], key=lambda i: i.split != "test"):
        theirs[origin(i.id) or i.id] = i
    pairs = ((i, theirs.get(origin(i.id) or i.id)) for i in found)
    return [
        (Found(i.id, f"{i.split} here, {known.split} there: {known.id}"), i.split == "test" != known.split)
        for i, known in pairs
        if known
    ]


def _excluded(data: Data) -> int:
    """Clips that would be listed without data.exclude."""
    if not isinstance(data, Listed) or not data.exclude:
        return 0
    every = replace(data, clips=0)
    return len(replace(every, exclude="").items()) - len(every.items())


def write_leaks(found: Check, path: Path) -> None:
    """The leaks of `found` as a list that the other data set takes as `exclude`, a line of its meaning first."""
    ids = sorted({leak.id for leaks in found.leaks.values() for leak in leaks})
    head = f"# {len(ids)} test clips of {found.name} that {', '.join(found.leaks)} has in train or val; learn.exclude=THIS leaves them out\n"
    replace_file(path, lambda draft: draft.write_text(head + "".join(f"{id}\n" for id in ids)))
