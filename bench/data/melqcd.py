"""Mel-QCD's own layout: video_clip/STEM.mp4, audio_clip/STEM.wav, train.txt, test.txt and text_info.json."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.data.avsync15 import mapping
from bench.data.base import Item
from bench.data.files import File, Listed, lines
from bench.data.ids import stem
from bench.errors import Refused


@dataclass(frozen=True)
class MelQCD(Listed):
    """Clips as the released code expects them; the label is the prompt of text_info.json.

    Without video_clip/ the clips are sound only; without audio_clip/ they have their videos' sound.
    """

    holds: ClassVar[str] = "a Mel-QCD data set (it holds video_clip/, audio_clip/, train.txt and test.txt)"

    def listed(self, root: Path, files: list[File]) -> list[Item]:
        videos, sounds = _in(root / "video_clip", files), _in(root / "audio_clip", files)
        if videos is None and sounds is None:
            raise Refused(f"{root} has neither video_clip/ nor audio_clip/; data=folder reads any folder")
        lists = {split: root / f"{split}.txt" for split in ("train", "test") if (root / f"{split}.txt").exists()}
        if not lists:
            raise Refused(f"{root} has neither train.txt nor test.txt: lists of clips, one name a line")
        texts = mapping(root / "text_info.json")
        found = []
        for split, place in lists.items():
            for line in lines(place):
                id = line if "/" in line else stem(line)  # a path is no name: refused as an id
                video = None if videos is None else videos.get(id, root / "video_clip" / f"{id}.mp4")
                audio = None if sounds is None else sounds.get(id, root / "audio_clip" / f"{id}.wav")
                found.append(Item(id, split, texts.get(id), video, audio))
        return found


def _in(place: Path, files: list[File]) -> dict[str, Path] | None:
    """The files in folder `place` by id; None where there is no such folder."""
    return {f.id: Path(f.path) for f in files if os.path.dirname(f.path) == str(place)} if place.is_dir() else None
