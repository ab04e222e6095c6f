"""VGGSound: a csv without a head and clips under any of the names that they have in the wild."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.data.base import Item
from bench.data.files import SPLITS, File, Listed
from bench.data.ids import origin, stem
from bench.errors import Refused


@dataclass(frozen=True)
class VGGSound(Listed):
    """Clips of YouTube videos; an id is YOUTUBE_SSSSSS with the start in seconds, whatever the file is called.

    Files lie at any depth below `root`, named ID_SSSSSS.mp4 (official), ID_STARTms_ENDms.mp4 (SpecVQGAN, Synchformer) or ID_START_END.mp4;
    a sound file (.wav, .flac) serves where there is no video. About a fifth of the videos can no longer be downloaded: raise max_bad.
    """

    table: str = "vggsound.csv"  # in `root` or a path: youtube_id,start,label,split; or the official test.csv: file,label

    holds: ClassVar[str] = "VGGSound (it holds vggsound.csv and the clips)"

    def listed(self, root: Path, files: list[File]) -> list[Item]:
        place = next((p for p in (root / self.table, Path(self.table).expanduser()) if p.is_file()), None)
        if place is None:
            raise Refused(
                f"{root / self.table} is missing: give data.table=FILE.csv (youtube_id,start,label,split, without a head)"
            )
        videos: dict[tuple[str, int], str] = {}
        sounds: dict[tuple[str, int], str] = {}
        for f in files:
            if (known := origin(f.id)) is not None:
                (videos if f.video else sounds)[known] = f.path
        found = []
        for number, row in enumerate(_rows(place), 1):
            name, start, label, split = _read(row, place, number)
            id = f"{name}_{start:06d}"
            video, audio = videos.get((name, start)), sounds.get((name, start))
            if video is None and audio is not None:
                found.append(Item(id, split, label, None, Path(audio)))
            else:
                found.append(Item(id, split, label, Path(video or f"{root}/{id}.mp4")))
        return found


def _rows(table: Path):
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            yield from (row for row in csv.reader(file, strict=True, skipinitialspace=True) if row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(f"{table} is not a comma-separated table: {error}") from error


def _read(row: list[str], table: Path, number: int) -> tuple[str, int, str, str]:
    """(YouTube id, start in seconds, label, split) of a row of vggsound.csv or test.csv."""
    if len(row) == 4 and row[3] in SPLITS and row[1].isdigit() and len(row[0]) == 11:
        return row[0], int(row[1]), row[2], SPLITS[row[3]]
    if len(row) == 2 and (known := origin(stem(row[0]))) is not None:
        return *known, row[1], "test"
    what = "youtube_id,start,label,split (ids of 11 characters, labels with commas in quotes)"
    raise Refused(f"{table} row {number} is not {what}: {','.join(row)[:80]!r}")
