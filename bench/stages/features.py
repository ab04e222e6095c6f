"""Features of every clip's video at 25 a second, made once per encoder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.clipset import Clips
from bench.context import Context, Progress
from bench.data.decode import enough
from bench.encoders import Encoder
from bench.errors import Failed
from bench.media import BadMedia, squares
from bench.ragged import RaggedWriter
from bench.shares import Pieces
from bench.store import replace_file, write_json
from bench.workers import Crashed, spread

SHARD = 32  # clips that a killed run loses at most


class Job(NamedTuple):
    """Pictures that a worker decodes: of clip `number` of piece `piece`, in squares of `side`."""

    piece: int
    number: int
    video: Path
    positions: int
    side: int


def features(out: Path, part: Path, ctx: Context, name: str, encoder: Encoder, clips: Path) -> None:
    """Write ragged `name`, float16 [positions, d]: of the frame shown at k / 25 s, for each k whose time lies inside the clip's sound.

    Clips without a picture, and those whose pictures cannot be decoded, are left out; skipped.json names them. Videos are decoded in
    worker processes, one clip in each at a time. Shards in `part` let a killed run go on, and several processes share the work.
    Raises Failed if more than `data.max_bad` (1 % where the context does not know the data set) of the clips with a picture cannot be
    decoded.
    """
    pieces(part, ctx, name, encoder, clips)
    known = Clips(clips, ctx.roots.get(clips.name))
    writer: RaggedWriter | None = None
    bad: dict[str, str] = {}
    shards = _shards(part, known)
    for path, ids in shards:
        for id, found in _read(path, ids):
            if isinstance(found, str):
                bad[id] = found
                continue
            writer = writer or RaggedWriter(out, name, dtype="float16", tail=found.shape[1:])
            writer.add(id, found)
    (writer or RaggedWriter(out, name, dtype="float16", tail=(1,))).close()
    pictured = {id for _, ids in shards for id in ids}
    allowed = ctx.max_bad.get(clips.name, 0.01)
    if len(bad) > allowed * len(pictured):
        some = "; ".join(list(bad.values())[:3])
        way = (
            f"data.max_bad={enough(len(bad), len(pictured)):g} goes on without them"
            if len(bad) < len(pictured)
            else "none is left"
        )
        raise Failed(
            f"the pictures of {len(bad)} of {len(pictured)} clips cannot be decoded, more than data.max_bad={allowed:g} allows: {some}; "
            f"{way}"
        )
    skipped: dict = {"no picture": sorted(set(known.ids()) - pictured)}
    write_json(out / "skipped.json", skipped | ({"undecodable": bad} if bad else {}))


def pieces(part: Path, ctx: Context, name: str, encoder: Encoder, clips: Path) -> None:
    """The shards of `features` alone, those that no other process makes (bench/shares.py)."""
    ctx.torch()
    known = Clips(clips, ctx.roots.get(clips.name))
    shards = _shards(part, known)
    with Pieces(part, ctx, len(shards), lambda k: shards[k][0].exists()) as waiting:
        if not waiting.left:
            return
        run = encoder.load(ctx.device)
        total = sum(len(ids) for _, ids in shards)
        bar = Progress(f"{name} features", total, total - sum(len(shards[k][1]) for k in waiting.left), quiet=ctx.quiet)
        begun: dict[int, dict[int, np.ndarray | str]] = {}
        with closing(bar):
            for some in waiting.rounds():
                jobs = _jobs(some, shards, known, run.side)
                with closing(spread("bench.stages.features:pictures", jobs, workers=ctx.workers, ahead=True)) as answers:
                    for job, shown in answers:
                        found = begun.setdefault(job.piece, {})
                        found[job.number] = run(shown).astype(np.float16) if isinstance(shown, np.ndarray) else _why(job, shown)
                        bar.advance()
                        path, ids = shards[job.piece]
                        if len(found) == len(ids):
                            _save(path, [found[i] for i in range(len(ids))])
                            del begun[job.piece]
                            waiting.done(job.piece)
                            ctx.check()


def pictures(job: Job) -> np.ndarray | str:
    """uint8 [positions, side, side, 3] of a clip, in a worker; why there are none where its file cannot be decoded."""
    try:
        return squares(job.video, np.arange(job.positions) / 25, job.side)
    except Exception as error:  # whatever a file does to a decoder, it costs this clip alone and is named
        return str(error) if isinstance(error, BadMedia) else f"{job.video}: {type(error).__name__}: {error}"


def positions(samples: int, rate: int) -> int:
    """Video slots of a clip: one for every four of its mel frames, the last one perhaps not full."""
    return -(-(samples * 100 // rate) // 4)


def _shards(part: Path, known: Clips) -> list[tuple[Path, list[str]]]:
    """(file, ids) of each piece: by the list alone."""
    ids = [id for id in known.ids() if known.rows[id].video is not None]
    return [(part / f"{i:06d}.npz", ids[i : i + SHARD]) for i in range(0, len(ids), SHARD)]


def _jobs(some: Iterable[int], shards: Sequence[tuple[Path, list[str]]], known: Clips, side: int) -> Iterator[Job]:
    lengths = dict(zip(known.waves, known.waves.lengths().tolist(), strict=True))
    for piece in some:
        for number, id in enumerate(shards[piece][1]):
            video = known.rows[id].video
            assert video is not None
            yield Job(piece, number, video, positions(lengths[id], known.rate), side)


def _why(job: Job, shown: str | Crashed) -> str:
    return shown if isinstance(shown, str) else f"{job.video}: {shown}"


def _save(path: Path, found: Sequence[np.ndarray | str]) -> None:
    """A piece: one array a clip, and why a clip has an empty one."""
    arrays = [f if isinstance(f, np.ndarray) else np.empty((0, 0), np.float16) for f in found]
    why = json.dumps({i: f for i, f in enumerate(found) if isinstance(f, str)}).encode()

    def write(draft: Path) -> None:
        with open(draft, "wb") as file:
            np.savez(file, *arrays, why=np.frombuffer(why, np.uint8))

    replace_file(path, write)


def _read(path: Path, ids: Sequence[str]) -> Iterator[tuple[str, np.ndarray | str]]:
    """(clip, its features or why there are none) of a piece."""
    with np.load(path) as stored:
        why = json.loads(stored["why"].tobytes()) if "why" in stored else {}
        for i, id in enumerate(ids):
            yield id, why[str(i)] if str(i) in why else stored[f"arr_{i}"]
