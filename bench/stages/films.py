"""Generated sound under the picture that it was made for: an mp4 per clip, the video stream copied."""

from __future__ import annotations

from pathlib import Path

from bench.context import Context
from bench.sounds import Sounds
from bench.store import write_json


def films(out: Path, part: Path, ctx: Context, sound: Path) -> None:
    """Write ID.mp4 for every sound whose clip has a picture; without.json names the others."""
    from bench.media import mux, read

    sounds = Sounds.open(sound)
    without = []
    for id in ctx.track(sounds.ids, "films"):
        video = sounds.video(id)
        if video is None:
            without.append(id)
            continue
        made = read(sounds.entries[id].source)
        mux(video, made.wave, made.rate, out / f"{id}.mp4")
        ctx.check()
    write_json(out / "without.json", {"no picture": without})
