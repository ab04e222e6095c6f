"""Any folder of videos or sounds, with or without a labels.csv."""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bench.data.base import Item
from bench.data.files import SPLITS, File, Listed
from bench.data.ids import stem
from bench.errors import Refused
from bench.media.files import AUDIO, MEDIA

NAMES = frozenset({"id", "file", "label", "split"})  # columns of a labels.csv that mean something; others are left alone


@dataclass(frozen=True)
class Folder(Listed):
    """Videos and sounds at any depth below `root`; an id is the file's name without its suffix.

    A labels.csv in `root` is the list of clips: columns id or file (or both), and if wanted label and split. Without a split, all is test;
    without a val, a tenth of train. One video and one sound of the same id are a clip and its sound.
    """

    labels: str = (
        "labels.csv"  # in `root` or a path; `folders`: no list, labels from the folders' names, splits too (test/dog/a.mp4)
    )

    def listed(self, root: Path, files: list[File]) -> list[Item]:
        table = None if self.labels == "folders" else self._table(root)
        if table is not None:
            return from_table(table, read_table(table), root, files)
        if not files:
            raise Refused(f"{root} holds no video or sound ({', '.join(sorted(MEDIA))})")
        return from_files(root, files, by_folder=self.labels == "folders")

    def _table(self, root: Path) -> Path | None:
        places = [root / self.labels] if self.labels == "labels.csv" else [root / self.labels, Path(self.labels).expanduser()]
        for place in places:
            if place.is_file():
                return place
        if self.labels != "labels.csv":
            raise Refused(
                f"{root / self.labels} is missing: give data.labels=FILE.csv, or data.labels=folders for one folder a class"
            )
        return None


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a labels.csv, its columns' names in lower case. Refused naming the file and what it lacks."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, strict=True)
            names = [n.strip().lower() for n in rows.fieldnames or []]
            if not {"id", "file"} & set(names):
                raise Refused(
                    f"{path} needs a column `id` or `file`, and `label` and `split` if there are any; it has {', '.join(names) or 'none'}"
                )
            rows.fieldnames = names
            found = []
            for row in rows:
                if None in row or None in row.values():
                    raise Refused(f"{path} line {rows.line_num} has not {len(names)} columns; quote values that hold commas")
                found.append({k: v.strip() for k, v in row.items() if k in NAMES})
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not a comma-separated table: {error}") from error
    if not found:
        raise Refused(f"{path} has a head and no rows")
    return found


def read_labels(path: str | Path) -> dict[str, str]:
    """{id: label} of a labels.csv that has labels: columns id or file, and label."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise Refused(f"{path} is missing: give a table with the columns id and label")
    rows = read_table(path)
    if "label" not in rows[0]:
        raise Refused(f"{path} has no column `label`; it has {', '.join(rows[0])}")
    return {row.get("id") or stem(row["file"]): row["label"] for row in rows}


def from_table(path: Path, rows: list[dict[str, str]], root: Path, files: list[File]) -> list[Item]:
    """One item a row; a row without a file has the one whose name is its id."""
    known = {f.path for f in files}
    by_stem = by_id(files) if any(not row.get("file") for row in rows) else {}
    found = []
    for number, row in enumerate(rows, 2):
        split = SPLITS.get((row.get("split") or "test").lower())
        if split is None:
            raise Refused(f"{path} row {number}: split is train, val or test, got {row['split']!r}")
        id = row.get("id") or stem(row.get("file", ""))
        if row.get("file"):
            below = os.path.join(root, row["file"])
            clip = [below if below in known else os.path.join(path.parent, row["file"])]
        else:
            clip = by_stem.get(id) or [os.path.join(root, f"{id}.mp4")]
        found.append(Item(id, split, row.get("label") or None, *one_clip(id, clip)))
    return found


def from_files(root: Path, files: list[File], *, by_folder: bool = False, pairs: bool = True) -> list[Item]:
    """One item for each id among the files.

    by_folder: the last folder is the label, the first one the split if it is called so. pairs: a video and a sound of one id are one
    clip; otherwise they are refused, since nobody knows which sound is meant.
    """
    found = []
    for id, paths in by_id(files).items():
        above = os.path.relpath(paths[0], root).split(os.sep)[:-1] if by_folder else []
        split = SPLITS.get(above[0].lower(), "test") if above else "test"
        found.append(Item(id, split, re.sub("_+", " ", above[-1]) if above else None, *one_clip(id, paths, pairs=pairs)))
    return found


def by_id(files: list[File]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for f in files:
        found[f.id].append(f.path)
    return dict(found)


def one_clip(id: str, paths: list[str], *, pairs: bool = True) -> tuple[Path | None, Path | None]:
    """(video, its own sound file) of an id: one of each at most, without `pairs` one in all, otherwise Refused naming two that collide."""
    sounds = [p for p in paths if os.path.splitext(p)[1].lower() in AUDIO]
    videos = [p for p in paths if p not in sounds]
    for two in (videos, sounds) if pairs else (paths,):
        if len(two) > 1:
            raise Refused(f"two files would be clip {id!r}: {two[0]} and {two[1]}; list one in a labels.csv, or rename")
    return Path(videos[0]) if videos else None, Path(sounds[0]) if sounds else None
