"""What readers of real folders share: finding files, and choosing among what is listed."""

from __future__ import annotations

import gc
import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, NamedTuple

from bench.data.base import Data, Item, in_val
from bench.data.ids import composed, origin, stem, unsafe
from bench.errors import Refused
from bench.media.files import MEDIA, VIDEO

LISTS = frozenset({".txt", ".csv", ".tsv", ".json"})
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


class File(NamedTuple):
    """A media file below a root. Text rather than Path: making 200,000 of those takes longer than listing them."""

    path: str
    id: str  # its name without the suffix
    video: bool  # by its suffix; otherwise sound only
    size: int  # bytes


@dataclass(frozen=True)
class Listed(Data):
    """A data set of files below `root`. Subclasses say what is listed; which of it is used is the same for all."""

    root: str  # the folder of the data set; never part of a key
    exclude: str = ""  # a list of ids to leave out, one a line in any notation, or a folder of lists (.txt); empty: none
    clips: int = 0  # at most this many of each split, chosen by hash of the id; 0: all
    max_bad: float = 0.01  # 0 to 1: share of the listed clips that may be missing or unusable before it is an error
    min_seconds: float = 0.5  # a clip with less sound than this is unusable

    holds: ClassVar[str] = "the data set"  # what `root` should be, for the message when it is not

    def __post_init__(self):
        if self.clips < 0:
            raise ValueError(f"clips must be 0 (all) or more, got {self.clips}")
        if not 0 <= self.max_bad <= 1:
            raise ValueError(f"max_bad is a share of the clips, 0 to 1, got {self.max_bad}")
        if not 0 <= self.min_seconds < 3600:
            raise ValueError(f"min_seconds must be 0 or more, and less than an hour, got {self.min_seconds}")

    @abstractmethod
    def listed(self, root: Path, files: list[File]) -> list[Item]:
        """Every clip as the data set lists it, duplicates and all, in any order. `files` are all media files below `root`.

        A clip whose file is missing is listed with the path where it should be. Raises Refused naming the file or row that is wrong.
        """

    def items(self) -> list[Item]:
        return look(self).items

    def identity(self) -> dict:
        return {"hash": look(self).hash, "min_seconds": self.min_seconds}


class Look(NamedTuple):
    """What a reader found: `items` in use, sorted by id, and the hash of their ids, splits, labels and sizes."""

    items: list[Item]
    hash: str
    stamp: dict[str, int | None]  # of what was looked at: the folders and the lists, by time of change


_seen: dict[Listed, Look] = {}


def look(data: Listed) -> Look:
    """The items of `data`. A plan asks many times: nothing is read again while no file came or went and no list was written anew.

    A media file that is overwritten in place while this process runs goes unnoticed.
    """
    known = _seen.get(data)
    if known is None or known.stamp != _stamp(known.stamp):
        if len(_seen) >= 8:
            _seen.pop(next(iter(_seen)))
        with _no_collector():
            known = _seen[data] = _look(data)
    return known


def _look(data: Listed) -> Look:
    root = folder(data.root, data.holds)
    files, places = scan(root)
    settings = [str(getattr(data, f.name)) for f in fields(data)]
    stamp = _stamp([*places, *(p for s in settings if (p := os.path.expanduser(s))), *map(str, lists(data.exclude))])
    found = tenth(data.listed(root, files))
    if not found:
        raise Refused(f"{root} lists no clips")
    for item in found:
        if why := unsafe(item.id):
            raise Refused(f"{root}: the id {item.id!r} {why}; rename it in the list or the file")
    twice = duplicates(found)
    if twice:
        places = [str(i.video or i.audio) for i in found if i.id == twice[0]]
        raise Refused(
            f"{root}: {len(twice)} ids stand for two clips each, the first is {twice[0]!r} ({' and '.join(places[:2])}); "
            "give each its own id, in a labels.csv with the columns id and file or by renaming"
        )
    found = within(without(found, data.exclude), data.clips)
    if not found:
        raise Refused(f"{data.exclude} leaves out every clip of {root}")
    sizes = {f.path: f.size for f in files}
    told = sha256()
    for i in found:
        sized = [str(sizes[p] if p in sizes else size(p)) for p in map(str, filter(None, (i.video, i.audio)))]
        told.update("\t".join([i.id, i.split, i.label or "", *sized]).encode() + b"\n")
    return Look(found, told.hexdigest()[:16], stamp)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Everything made while listing stays: the garbage collector would walk over it again and again (a third of the time)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _stamp(places: Iterable[str]) -> dict[str, int | None]:
    return {p: os.stat(p).st_mtime_ns if os.path.exists(p) else None for p in places}


def size(path: str) -> int:
    """Bytes of a file; -1 where there is none."""
    return os.stat(path).st_size if os.path.isfile(path) else -1


def duplicates(found: list[Item]) -> list[str]:
    """Ids that are listed more than once."""
    return [id for id, n in Counter(i.id for i in found).items() if n > 1]


# ---- finding files --------------------------------------------------------------------------------------------------------------


def folder(path: str | Path, what: str = "the data set") -> Path:
    """`path` if it is a folder; Refused in one line if it is not."""
    path = Path(path).expanduser()
    if path.is_dir():
        return path
    wrong = "is a file, a folder was expected" if path.exists() else "does not exist"
    raise Refused(f"{path} {wrong}: give the folder of {what}")


def scan(root: Path) -> tuple[list[File], list[str]]:
    """Media files below `root`, at any depth, by path; and the folders and lists (txt, csv, json) met on the way.

    Hidden names are left out, links are followed. os.scandir rather than Path.rglob: 200,000 files in two seconds instead of ten.
    """
    found, places, seen, waiting = [], [], set(), [str(root)]
    while waiting:
        place = waiting.pop()
        if (real := os.path.realpath(place)) in seen:
            continue  # a link back to where we were
        seen.add(real)
        places.append(place)
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            raise Refused(f"{place} cannot be listed: {error.strerror}") from error
        for e in entries:
            name, at, suffix = e.name.rpartition(".")
            suffix = at + suffix.lower()
            if e.name.startswith("."):
                continue
            if e.is_dir():
                waiting.append(e.path)
            elif suffix in MEDIA and e.is_file():  # a link to nothing is no file
                found.append(File(e.path, composed(name), suffix in VIDEO, e.stat().st_size))
            elif suffix in LISTS:
                places.append(e.path)
    return sorted(found), places


def lines(path: Path) -> list[str]:
    """The lines of a list, stripped, without empty ones and `#` comments; Refused if it is not there or not text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise Refused(f"{path} is missing") from None
    except (UnicodeDecodeError, OSError) as error:
        raise Refused(f"{path} cannot be read as text: {error}") from error
    return [s for line in text.splitlines() if (s := line.strip()) and not s.startswith("#")]


# ---- choosing -------------------------------------------------------------------------------------------------------------------


def tenth(found: list[Item]) -> list[Item]:
    """`found` with a tenth of train, by hash of the id, as val; unchanged where the list has a val of its own."""
    if any(i.split == "val" for i in found):
        return found
    return [Item(i.id, "val", i.label, i.video, i.audio) if i.split == "train" and in_val(i.id) else i for i in found]


def without(found: list[Item], exclude: str) -> list[Item]:
    """`found` less the clips that the lists at `exclude` name: by id, by file name, or by YouTube id and start in any notation.

    Synchformer's filtered_examples_vggsound is such a folder: .txt files of lines like 3fO18Lf_ZHo_31000_41000, milliseconds.
    """
    if not exclude:
        return found
    named = [line for path in lists(exclude) for line in lines(path)]
    ids = {stem(line) for line in named} | set(named)
    origins = {o for id in ids if (o := origin(id))}
    kept = [i for i in found if i.id not in ids and (not origins or origin(i.id) not in origins)]
    if named and len(kept) == len(found):
        raise Refused(f"{exclude}: none of its {len(named)} ids is in the data set, the first is {named[0]!r}; right file?")
    return kept


def lists(exclude: str) -> list[Path]:
    """The files that `exclude` stands for: itself, or each .txt file of the folder; [] where it is empty. Refused for a folder without."""
    if not exclude:
        return []
    place = Path(exclude).expanduser()
    if not place.is_dir():
        return [place]
    found = sorted(place.glob("*.txt"))
    if not found:
        raise Refused(f"{place} holds no list: a .txt file with one id a line")
    return found


def within(found: list[Item], clips: int) -> list[Item]:
    """Sorted by id; at most `clips` of each split where it is not 0, those with the lowest hash of their ids."""
    if clips:
        ranked = sorted(found, key=lambda i: sha256(b"clips" + i.id.encode()).digest())
        counts: Counter[str] = Counter()
        found = []
        for i in ranked:
            counts[i.split] += 1
            if counts[i.split] <= clips:
                found.append(i)
    return sorted(found, key=lambda i: i.id)
