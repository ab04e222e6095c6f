"""The true control signal of every clip, as ragged arrays [slots, n], one per head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.clipset import Clips
from bench.context import Context
from bench.errors import Failed
from bench.hints import told_whose
from bench.ragged import Ragged, RaggedWriter
from bench.store import write_json
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
    torch = ctx.torch()
    known = Clips(clips)
    waves, heads = known.waves, control.heads()
    seen = Ragged(looks, "looks") if looks is not None else None
    usable = [id for id in waves if seen is None or id in seen]
    if seen is not None and not usable:
        raise Failed(f"{type(control).__name__} is made of the video, and no clip has a picture")
    drafts: dict[str, _Reordered] = {}
    with torch.inference_mode():
        for ids in ctx.track(list(batches(waves, known.rate)), f"signals of {type(control).__name__}"):
            ids = [id for id in ids if seen is None or id in seen]
            if not ids:
                continue
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
            for name, values in signal.items():
                if name not in drafts:
                    kind = ("int32" if heads[name].kind == "class" else "float32") if name in heads else "float16"
                    drafts[name] = _Reordered(part, name, kind, values.shape[1])
                rows = values.movedim(-1, -2).cpu().numpy()
                for row, id in enumerate(ids):
                    drafts[name].add(id, rows[row, : slots[row]])
            ctx.check()
    for draft in drafts.values():
        draft.write(out, usable)
    kinds = {name: [head.kind, head.size, head.n] for name, head in heads.items()}
    write_json(out / "signal.json", {"heads": kinds, "arrays": list(drafts), "step": step, "clips": len(usable)})
    if seen is not None:
        write_json(out / "skipped.json", {"no picture": sorted(set(waves) - set(usable))})


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
            for id in ids:
                final.add(id, drafts[id])
