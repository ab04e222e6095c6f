"""The true control signal of every clip, as ragged arrays [slots, n], one per head."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.clipset import Clips
from bench.context import Context, Progress
from bench.errors import Failed
from bench.hints import told_whose
from bench.ragged import Ragged, RaggedWriter
from bench.shares import Pieces
from bench.store import replace_file, write_json
from controls.base import Batch, Control
from controls.fit import signal_fits
from melqcd.mel import MelScale

if TYPE_CHECKING:
    from torch import Tensor

SECONDS_AT_ONCE = 320.0  # of sound in one batch: 32 clips of 10 s, about 1.5 GB at 256 bins


def signals(
    out: Path, part: Path, ctx: Context, control: Control, scale: MelScale, step: int, clips: Path, looks: Path | None = None
) -> None:
    """Write one ragged array per head (and per array that the control carries), in the order of the clips.

    A clip of f mel frames has ceil(f / step) slots. Clips of like length go together, so that little is computed on padding.
    looks: image embeddings at 25 a second, for a control that is made of the video: clips without a picture are then left out, and
    skipped.json names them.
    Raises Failed, naming the control and its distribution, if it raises, or its arrays are not of that form or hold values no head allows.
    """
    pieces(part, ctx, control, scale, step, clips, looks)
    known, heads = Clips(clips), control.heads()
    groups = _groups(known, looks)
    drafts: dict[str, _Reordered] = {}
    for k, ids in enumerate(groups):
        for name, values, slots in _read(_piece(part, k)):
            if name not in drafts:
                drafts[name] = _Reordered(part, name, values.dtype.name, values.shape[1])
            edges = np.concatenate([[0], np.cumsum(slots)])
            for row, id in enumerate(ids):
                drafts[name].add(id, values[edges[row] : edges[row + 1]])
        ctx.check()
    usable = set().union(*groups)
    for draft in drafts.values():
        draft.write(out, [id for id in known.waves if id in usable])
    kinds = {name: [head.kind, head.size, head.n] for name, head in heads.items()}
    write_json(out / "signal.json", {"heads": kinds, "arrays": list(drafts), "step": step, "clips": len(usable)})
    if looks is not None:
        write_json(out / "skipped.json", {"no picture": sorted(set(known.waves) - usable)})


def pieces(
    part: Path, ctx: Context, control: Control, scale: MelScale, step: int, clips: Path, looks: Path | None = None
) -> None:
    """The batches of `signals` alone, each a file in `part`: those that no other process makes (bench/shares.py)."""
    torch = ctx.torch()
    known, seen = Clips(clips), Ragged(looks, "looks") if looks is not None else None
    groups = _groups(known, looks)
    if seen is not None and not groups:
        raise Failed(f"{type(control).__name__} is made of the video, and no clip has a picture")
    with Pieces(part, ctx, len(groups), lambda k: _piece(part, k).exists()) as waiting, torch.inference_mode():
        done = len(groups) - len(waiting.left)
        bar = Progress(f"signals of {type(control).__name__}", len(groups), done, quiet=ctx.quiet)
        with closing(bar):
            for k in (k for some in waiting.rounds() for k in some):
                _save(_piece(part, k), _signal(groups[k], ctx, control, scale, step, known, seen))
                waiting.done(k)
                bar.advance()
                known.waves.release()
                ctx.check()


def _signal(
    ids: list[str], ctx: Context, control: Control, scale: MelScale, step: int, known: Clips, seen: Ragged | None
) -> dict[str, tuple[np.ndarray, list[int]]]:
    """{name: (its rows [slots, n] of all clips end to end, slots of each clip)} of a batch."""
    wave, lengths = known.batch(ids)
    batch = Batch.of(wave.to(ctx.device), scale, samples=lengths.to(ctx.device), step=step)
    if seen is not None:
        batch = replace(batch, looks=at_slots([seen[id] for id in ids], batch).to(ctx.device))
    slots = batch.valid.sum(-1).tolist()
    with told_whose(control, ids):
        signal = control.extract(batch)
        fits, detail = signal_fits(control, signal, len(ids), batch.slots)
        if not fits:
            raise Failed(detail)
    heads, found = control.heads(), {}
    for name, values in signal.items():
        kind = ("int32" if heads[name].kind == "class" else "float32") if name in heads else "float16"
        rows = values.movedim(-1, -2).cpu().numpy()
        found[name] = (np.concatenate([rows[row, :n] for row, n in enumerate(slots)]).astype(kind), slots)
    return found


def _groups(known: Clips, looks: Path | None) -> list[list[str]]:
    """The ids of each batch: by the list alone. Of a control that is made of the video, clips with a picture."""
    seen = Ragged(looks, "looks") if looks is not None else None
    groups = ([id for id in ids if seen is None or id in seen] for ids in batches(known.waves, known.rate))
    return [ids for ids in groups if ids]


def _piece(part: Path, k: int) -> Path:
    return part / f"batch-{k:06d}.npz"


def _save(path: Path, found: dict[str, tuple[np.ndarray, list[int]]]) -> None:
    told = np.frombuffer(json.dumps({name: slots for name, (_, slots) in found.items()}).encode(), np.uint8)

    def write(draft: Path) -> None:
        with open(draft, "wb") as file:
            np.savez(file, *(rows for rows, _ in found.values()), told=told)

    replace_file(path, write)


def _read(path: Path) -> Iterator[tuple[str, np.ndarray, list[int]]]:
    with np.load(path) as stored:
        for i, (name, slots) in enumerate(json.loads(stored["told"].tobytes()).items()):
            yield name, stored[f"arr_{i}"], slots


def at_slots(looks: Sequence[np.ndarray], batch: Batch) -> Tensor:
    """[B, slots, d]: for each slot of `batch` the row of its clip's `looks` [positions, d] that is shown when the slot begins.

    25 rows a second: one a slot at step 4, the same one for four slots at step 1. Zeros beyond a clip's last row.
    """
    import torch

    at = np.arange(batch.slots) * batch.step * batch.scale.hop * 25 // batch.scale.rate
    found = torch.zeros(len(looks), batch.slots, looks[0].shape[-1])
    for row, rows in enumerate(looks):
        there = at[at < len(rows)]
        found[row, : len(there)] = torch.from_numpy(np.asarray(rows, np.float32)[there])
    return found


def batches(waves: Ragged, rate: int) -> Iterator[list[str]]:
    """Ids grouped by length, longest first, about SECONDS_AT_ONCE of padded sound in each group."""
    order = np.argsort(-waves.lengths(), kind="stable")
    ids = list(waves)
    group: list[str] = []
    longest = 0
    for i in order:
        longest = longest or int(waves.lengths()[i])
        if group and (len(group) + 1) * longest > SECONDS_AT_ONCE * rate:
            yield group
            group, longest = [], int(waves.lengths()[i])
        group.append(ids[i])
    if group:
        yield group


class _Reordered:
    """Arrays appended in any order to a file in `part`, then written in the order asked for: memory stays flat."""

    def __init__(self, part: Path, name: str, dtype: str, n: int):
        self.part, self.name, self.dtype, self.n = part, name, dtype, n
        self._writer = RaggedWriter(part, name, dtype=dtype, tail=(n,))

    def add(self, id: str, array: np.ndarray) -> None:
        self._writer.add(id, array)

    def write(self, out: Path, ids: Sequence[str]) -> None:
        self._writer.close()
        drafts = Ragged(self.part, self.name)
        with RaggedWriter(out, self.name, dtype=self.dtype, tail=(self.n,)) as final:
            for k, id in enumerate(ids):
                final.add(id, drafts[id])
                if k % 1000 == 999:
                    drafts.release()
