"""Every clip's sound at one rate and its picture times, decoded once, in worker processes, as ragged arrays."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.context import Context, Progress
from bench.data.base import Data, Item
from bench.data.decode import decode, enough, shown
from bench.errors import Failed
from bench.identity import digest
from bench.media import BadMedia
from bench.ragged import RaggedWriter
from bench.shares import Pieces
from bench.store import replace_file, write_json
from bench.workers import Crashed, spread

SHARD = 32  # clips of one shard at most, the unit that a killed run loses: 20 MB of sound at 10 s and 16 kHz
KEPT = ("id", "split", "label", "seconds", "video", "audio")
DROPPED = ("id", "split", "label", "reason")


class Job(NamedTuple):
    """A shard to be made by a worker, at `path`."""

    items: list[Item]
    rate: int
    min_seconds: float
    path: Path
    silent: bool = False
    number: int = 0


def clips(out: Path, part: Path, ctx: Context, data: Data, rate: int = 16000) -> None:
    """Write `wave` (float32 [samples], mono at `rate`) and `times` (float64 [frames], seconds) of each usable clip, sorted by id.

    clips.csv has a row for each of them, its files relative to `data.root` where they lie below it; dropped.csv each clip that could not
    be used, with the reason; facts.json the root, the hash of the list and the counts. Memory does not grow with the number of clips but
    for their names. Shards in `part` let a killed run go on.
    Raises Failed if more than `data.max_bad` of the listed clips are unusable.
    """
    items, shards = data.items(), _shards(part, data, rate)
    _make(shards, part, ctx)
    root = Path(getattr(data, "root", "") or os.path.commonpath([os.path.dirname(i.video or i.audio or "") for i in items]))
    root = root.expanduser()
    counts: Counter[tuple[str, str]] = Counter()
    with ExitStack() as stack:
        wave = stack.enter_context(RaggedWriter(out, "wave", dtype="float32"))
        times = stack.enter_context(RaggedWriter(out, "times", dtype="float64"))
        kept = stack.enter_context(_table(out / "clips.csv", KEPT))
        dropped = stack.enter_context(_table(out / "dropped.csv", DROPPED))
        for job in shards:
            ctx.check()
            for item, reason, sound, shown in _read(job):
                counts[item.split, "dropped" if reason else "kept"] += 1
                if reason:
                    dropped.writerow([item.id, item.split, item.label or "", reason])
                    continue
                wave.add(item.id, sound)
                times.add(item.id, shown)
                files = _files(item, root, bool(len(shown)))
                kept.writerow([item.id, item.split, item.label or "", f"{len(sound) / rate:.6f}", *files])
    _refuse(out, len(items), data)
    splits = {s: {k: counts[s, k] for k in ("kept", "dropped")} for s in sorted({i.split for i in items})}
    identity = data.identity()
    facts: dict[str, Any] = {"root": str(root.resolve()), "rate": rate, "hash": identity.get("hash") or digest(identity)}
    facts |= {"listed": len(items), **{k: sum(s[k] for s in splits.values()) for k in ("kept", "dropped")}}
    facts |= {"splits": splits, "identity": identity}
    write_json(out / "facts.json", facts)


def pieces(part: Path, ctx: Context, data: Data, rate: int = 16000) -> None:
    """The shards of `clips` alone, those that no other process makes (bench/shares.py)."""
    _make(_shards(part, data, rate), part, ctx)


def make_shard(job: Job) -> None:
    """Decode the clips of one shard into its file: all sound and all times end to end, and what became of each clip."""
    waves, times, told = [], [], []
    for item in job.items:
        try:
            media = shown(item, job.rate) if job.silent else decode(item, job.rate, min_seconds=job.min_seconds)
        except Exception as error:  # whatever a file does to a decoder, it costs this clip alone and is named
            reason = str(error) if isinstance(error, BadMedia) else f"{item.audio or item.video}: {type(error).__name__}: {error}"
            told.append([item.id, reason, 0, 0])
        else:
            waves.append(media.wave)
            times.append(media.times)
            told.append([item.id, None, len(media.wave), len(media.times)])
    _save(job.path, waves, times, told)


def _save(path: Path, waves: list[np.ndarray], times: list[np.ndarray], told: list) -> None:
    arrays = {
        "wave": np.concatenate([np.empty(0, np.float32), *waves]),
        "times": np.concatenate([np.empty(0), *times]),
        "told": np.frombuffer(json.dumps(told).encode(), np.uint8),
    }

    def write(draft: Path) -> None:
        with open(draft, "wb") as file:
            np.savez(file, **arrays)

    replace_file(path, write)


def _shards(part: Path, data: Data, rate: int) -> list[Job]:
    return list(_jobs(data.items(), part, rate, getattr(data, "min_seconds", 0.5), silent=data.silent))


def _jobs(items: list[Item], part: Path, rate: int, min_seconds: float, *, silent: bool = False) -> Iterator[Job]:
    size = max(1, min(SHARD, len(items) // 16))  # by the list alone: another number of workers finds the same shards
    for k in range(0, len(items), size):
        yield Job(items[k : k + size], rate, min_seconds, part / f"shard-{k // size:06d}.npz", silent, k // size)


def _make(shards: list[Job], part: Path, ctx: Context) -> None:
    """Make the shards that are not there yet. A clip whose decoder dies is left out, the others of its shard are made again."""
    total = sum(len(job.items) for job in shards)
    with Pieces(part, ctx, len(shards), lambda k: _made(shards[k])) as waiting:
        bar = Progress("decoding", total, total - sum(len(shards[k].items) for k in waiting.left), quiet=ctx.quiet)
        with closing(bar):
            for some in waiting.rounds():
                with closing(spread("bench.stages.clips:make_shard", (shards[k] for k in some), workers=ctx.workers)) as answers:
                    for job, result in answers:
                        if isinstance(result, Crashed):
                            _one_by_one(job, ctx)
                        waiting.done(job.number)
                        bar.advance(len(job.items))
                        ctx.check()


def _one_by_one(job: Job, ctx: Context) -> None:
    """The shard `job` again with a shard for each clip, so that a crash has one clip's name; then put together."""
    singles = [
        job._replace(items=[item], path=job.path.with_name(f"{job.path.stem}-{k}.npz")) for k, item in enumerate(job.items)
    ]
    with closing(spread("bench.stages.clips:make_shard", singles, workers=ctx.workers)) as answers:
        for single, result in answers:
            if isinstance(result, Crashed):
                item = single.items[0]
                _save(single.path, [], [], [[item.id, f"{item.audio or item.video}: {result}", 0, 0]])
            ctx.check()
    found = [row for single in singles for row in _read(single)]
    told = [[item.id, reason, len(wave), len(times)] for item, reason, wave, times in found]
    _save(job.path, [w for _, _, w, _ in found], [t for _, _, _, t in found], told)
    for single in singles:
        single.path.unlink()


def _made(job: Job) -> bool:
    """Whether the shard is there and no file that it left out has changed or appeared since: then it is worth another look."""
    if not job.path.exists():
        return False
    since = job.path.stat().st_mtime
    with np.load(job.path) as shard:
        left_out = {id: reason for id, reason, _, _ in _told(shard) if reason}
    for item in job.items:
        for path in (p for p in (item.video, item.audio) if p and item.id in left_out):
            if path.exists() and (path.stat().st_ctime > since or left_out[item.id].endswith("is missing")):
                return False
    return True


def _read(job: Job) -> Iterator[tuple[Item, str | None, np.ndarray, np.ndarray]]:
    """(clip, why it was left out or None, its sound, its picture times) of each clip of a shard."""
    with np.load(job.path) as shard:
        told, wave, times = _told(shard), shard["wave"], shard["times"]
    at = tick = 0
    for item, (id, reason, samples, frames) in zip(job.items, told, strict=True):
        assert id == item.id, f"{job.path} holds {id} where {item.id} belongs"
        yield item, reason, wave[at : at + samples], times[tick : tick + frames]
        at, tick = at + samples, tick + frames


def _told(shard) -> list[tuple[str, str | None, int, int]]:
    return json.loads(shard["told"].tobytes())


def _files(item: Item, root: Path, pictured: bool) -> list[str]:
    """The columns video and audio: relative to `root` where they lie below it; a video file without a picture is sound."""
    video, audio = (item.video, item.audio) if pictured else (None, item.audio or item.video)
    return ["" if p is None else str(p.relative_to(root) if p.is_relative_to(root) else p.absolute()) for p in (video, audio)]


@contextmanager
def _table(path: Path, columns: tuple[str, ...]) -> Iterator:
    """A csv file being written row by row."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        yield writer


def _refuse(out: Path, listed: int, data: Data) -> None:
    """Failed if too many clips were left out, naming the first few and how to go on without them."""
    allowed = getattr(data, "max_bad", 0.01)
    with open(out / "dropped.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or (len(rows) <= allowed * listed and len(rows) < listed):
        return
    first = "; ".join(f"{r['id']} ({r['reason']})" for r in rows[:3]) + (" ..." if len(rows) > 3 else "")
    way = f"data.max_bad={enough(len(rows), listed):g} goes on without them" if len(rows) < listed else "none is left"
    raise Failed(
        f"{len(rows)} of {listed} clips cannot be used, more than data.max_bad={allowed:g} allows: {first}; "
        f"{way}; `bench data check` lists all"
    )
