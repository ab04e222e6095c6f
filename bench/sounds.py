"""A folder of sounds by id: decoded clips, generated sound, or whatever a user has."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.data.files import folder, scan
from bench.data.folder import from_files, from_table, read_labels, read_table
from bench.data.ids import unsafe
from bench.errors import Refused


@dataclass(frozen=True)
class Entry:
    """One sound: its file, and what is known of it."""

    source: Path  # the file that holds the sound
    video: Path | None = None  # the picture that goes with it
    label: str | None = None
    split: str = "test"
    seconds: float | None = None  # None: nobody has looked


@dataclass(frozen=True)
class Sounds:
    """`Sounds.open(path)`: one view on a `clips` artefact, a `sound` artefact (sounds.csv) or any folder of mp4, wav and flac.

    All are decoded alike: native layout, mean of the channels, soxr from the source's own rate, zero at the first picture.
    """

    folder: Path
    entries: dict[str, Entry]  # by id, sorted
    rate: int = 0  # of the stored waves of a clips artefact; 0: there are none
    _cache: dict = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, path: str | Path, *, labels: str | Path | None = None, root: str | Path | None = None) -> Sounds:
        """The sounds in folder `path`.

        A user's folder: ids are the files' names without suffix, at any depth; a labels.csv in it with a column `file` lists them instead.
        labels: a table of ids and labels that wins over what the folder says. root: where the files of a clips artefact lie now.
        Raises Refused in one line: no such folder, a file, nothing in it, two files of one id, an id that is not safe.
        """
        place = folder(path, "sounds: mp4, wav or flac files named by clip id")
        rate = 0
        if (place / "facts.json").exists() and (place / "clips.csv").exists():
            entries, rate = _of_clips(place, Path(root) if root else None)
        elif (place / "sounds.csv").exists():
            entries = _of_sounds(place)
        else:
            entries = _of_files(place)
        if not entries:
            raise Refused(f"{place} holds no sounds")
        for id in entries:
            if why := unsafe(id):
                raise Refused(f"{place}: the id {id!r} {why}; rename the file")
        if labels is not None:
            known = read_labels(labels)
            entries = {id: Entry(e.source, e.video, known.get(id), e.split, e.seconds) for id, e in entries.items()}
        return cls(place, dict(sorted(entries.items())), rate)

    @property
    def ids(self) -> list[str]:
        return list(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, id: str) -> bool:
        return id in self.entries

    def load(self, id: str, rate: int) -> np.ndarray:
        """float32 [samples], mono at `rate`. Raises BadMedia naming the file, KeyError for an unknown id."""
        if rate == self.rate:
            return np.array(self._waves()[id])
        from bench.media import BadMedia, sound

        source = self._now(self.entries[id].source)
        if self.rate and not source.exists():
            raise BadMedia(
                source, "is missing: the clips were decoded from there; if the data set has moved, give data.root", "missing"
            )
        return sound(source, rate)

    def video(self, id: str) -> Path | None:
        """The file that holds the picture; None where there is none."""
        known = self.entries[id].video
        return None if known is None else self._now(known)

    def label(self, id: str) -> str | None:
        """The class's text; None where nobody has said."""
        return self.entries[id].label

    def split(self, id: str) -> str:
        """train, val or test; test where nobody has said."""
        return self.entries[id].split

    def seconds(self, id: str) -> float:
        """Length of the sound; decodes it where it is not on record, once."""
        known = self.entries[id].seconds
        if known is None:
            if id not in self._cache:
                from bench.media import read

                media = read(self.entries[id].source)
                self._cache[id] = len(media.wave) / media.rate
            known = self._cache[id]
        return known

    def _now(self, path: Path) -> Path:
        """Where a file lies that was beside this folder, in a store that has been moved as a whole: a rendered world's clips are."""
        if path.exists():
            return path
        ends = (self.folder.parent.joinpath(*path.parts[i:]) for i in range(1, len(path.parts) - 1))
        return next((p for p in ends if p.is_file()), path)

    def _waves(self):
        if "waves" not in self._cache:
            from bench.ragged import Ragged

            self._cache["waves"] = Ragged(self.folder, "wave")
        return self._cache["waves"]


def _of_clips(place: Path, root: Path | None) -> tuple[dict[str, Entry], int]:
    facts = json.loads((place / "facts.json").read_text())
    base, entries = root or Path(facts["root"]), {}
    for row in _rows(place / "clips.csv"):
        video = base / row["video"] if row["video"] else None
        source = base / row["audio"] if row["audio"] else video
        assert source is not None
        entries[row["id"]] = Entry(source, video, row["label"] or None, row["split"], float(row["seconds"]))
    return entries, int(facts["rate"])


def _of_sounds(place: Path) -> dict[str, Entry]:
    """sounds.csv: id, and if wanted file (otherwise ID.wav), video, label, split, seconds; files relative to the folder."""
    entries = {}
    for row in _rows(place / "sounds.csv"):
        if row["id"] in entries:
            raise Refused(f"{place / 'sounds.csv'} lists {row['id']!r} twice")
        video = place / row["video"] if row.get("video") else None
        seconds = float(row["seconds"]) if row.get("seconds") else None
        source = place / (row.get("file") or f"{row['id']}.wav")
        entries[row["id"]] = Entry(source, video, row.get("label") or None, row.get("split") or "test", seconds)
    return entries


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _of_files(place: Path) -> dict[str, Entry]:
    """One entry a file; the labels.csv of the folder names them if it has a column `file`, otherwise it gives labels alone."""
    files, _ = scan(place)
    table = place / "labels.csv"
    rows = read_table(table) if table.is_file() else []
    if rows and "file" in rows[0]:
        items = from_table(table, rows, place, files)
        if len({i.id for i in items}) < len(items):
            raise Refused(f"{table} lists an id twice; each clip has one sound")
    else:
        if not files:
            raise Refused(f"{place} holds no sounds: mp4, wav or flac files named by clip id")
        items = from_files(place, files, pairs=False)
    labels = {row["id"]: row["label"] for row in rows if row.get("id") and row.get("label")}
    entries = {}
    for i in items:
        source = i.audio or i.video
        assert source is not None
        entries[i.id] = Entry(source, i.video, i.label or labels.get(i.id), i.split)
    return entries
