"""Generated sound under the picture that it was made for: an mp4 per clip, the video stream copied."""

from __future__ import annotations

from pathlib import Path

from bench.context import Context
from bench.sounds import Sounds
from bench.store import write_json


def films(out: Path, part: Path, ctx: Context, sound: Path) -> None:
    """Write ID.mp4 for every sound whose clip has a picture; without.json names the others."""
    from bench.media import mux

    sounds = Sounds.open(sound)
    without = []
    for id in ctx.track(sounds.ids, "films"):
        video = sounds.video(id)
        if video is None:
            without.append(id)
            continue
        rate = 16000
        mux(video, sounds.load(id, rate), rate, out / f"{id}.mp4")
        ctx.check()
    write_json(out / "without.json", {"no picture": without})
