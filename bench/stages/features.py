"""Features of every clip's video at 25 a second, made once per encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.clipset import Clips
from bench.context import Context
from bench.encoders import Encoder
from bench.ragged import RaggedWriter
from bench.store import replace_file, write_json

SHARD = 32  # clips that a killed run loses at most


def features(out: Path, part: Path, ctx: Context, name: str, encoder: Encoder, clips: Path) -> None:
    """Write ragged `name`, float16 [positions, d]: of the frame shown at k / 25 s, for each k whose time lies inside the clip's sound.

    Clips without a picture are left out; skipped.json names them. Shards in `part` let a killed run go on.
    """
    from bench.media import frames

    ctx.torch()
    known = Clips(clips, ctx.roots.get(clips.name))
    ids = [id for id in known.ids() if known.rows[id].video is not None]
    shards = [(part / f"{i:06d}.npz", ids[i : i + SHARD]) for i in range(0, len(ids), SHARD)]
    todo = [shard for shard in shards if not shard[0].exists()]
    run = encoder.load(ctx.device) if todo else None
    for path, some in ctx.track(todo, f"{name} features", total=len(shards), start=len(shards) - len(todo)):
        assert run is not None
        found = []
        for id in some:
            clip = known.rows[id]
            assert clip.video is not None
            found.append(run(frames(clip.video, np.arange(positions(len(known.waves[id]), known.rate)) / 25)).astype(np.float16))
        replace_file(path, lambda draft, found=found: _save(draft, found))
        ctx.check()
    width = None
    writer = None
    for path, some in shards:
        with np.load(path) as stored:
            for i, id in enumerate(some):
                array = stored[f"arr_{i}"]
                if writer is None:
                    width = array.shape[-1]
                    writer = RaggedWriter(out, name, dtype="float16", tail=(width,))
                writer.add(id, array)
    (writer or RaggedWriter(out, name, dtype="float16", tail=(1,))).close()
    skipped = sorted(set(known.ids()) - set(ids))
    write_json(out / "skipped.json", {"no picture": skipped})


def positions(samples: int, rate: int) -> int:
    """Video slots of a clip: one for every four of its mel frames, the last one perhaps not full."""
    return -(-(samples * 100 // rate) // 4)


def _save(draft: Path, arrays: list[np.ndarray]) -> None:
    with open(draft, "wb") as file:
        np.savez(file, *arrays)
