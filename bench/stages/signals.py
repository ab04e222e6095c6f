"""The true control signal of every clip, as ragged arrays [slots, n], one per head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from melqcd.mel import MelScale

from bench.context import Context
from bench.ragged import Ragged, RaggedWriter
from bench.store import write_json
from controls.base import Batch, Control

SECONDS_AT_ONCE = 320.0  # of sound in one batch: 32 clips of 10 s, about 1.5 GB at 256 bins


def signals(out: Path, part: Path, ctx: Context, control: Control, scale: MelScale, step: int, clips: Path) -> None:
    """Write one ragged array per head, in the order of the clips; a clip of f mel frames has ceil(f / step) slots.

    The longest clips go together, so that little is computed on padding; the arrays come out in the clips' own order.
    """
    torch = ctx.torch()
    waves = Ragged(clips, "wave")
    heads = control.heads()
    kinds = {name: "int32" if head.kind == "class" else "float32" for name, head in heads.items()}
    drafts = {name: _Reordered(part, name, kinds[name], heads[name].n) for name in heads}
    done = 0
    with torch.inference_mode():
        for ids in ctx.track(list(batches(waves, scale.rate)), f"signals of {type(control).__name__}"):
            lengths = torch.tensor([len(waves[i]) for i in ids])
            wave = torch.zeros(len(ids), int(lengths.max()))
            for row, id in enumerate(ids):
                wave[row, : lengths[row]] = torch.from_numpy(np.array(waves[id]))
            batch = Batch.of(wave.to(ctx.device), scale, samples=lengths.to(ctx.device), step=step)
            found = control.extract(batch)
            slots = batch.valid.sum(-1).tolist()
            for name in heads:
                values = found[name].movedim(-1, -2).cpu().numpy()
                for row, id in enumerate(ids):
                    drafts[name].add(id, values[row, : slots[row]])
            done += len(ids)
            ctx.check()
    for name, draft in drafts.items():
        draft.write(out, list(waves))
    write_json(out / "signal.json", {"heads": {n: [h.kind, h.size, h.n] for n, h in heads.items()}, "step": step, "clips": done})


def batches(waves: Ragged, rate: int) -> Iterator[list[str]]:
    """Ids grouped by length, longest first, about SECONDS_AT_ONCE of padded sound in each group."""
    order = np.argsort(-waves.lengths(), kind="stable")
    group: list[str] = []
    longest = 0
    for i in order:
        longest = longest or int(waves.lengths()[i])
        if group and (len(group) + 1) * longest > SECONDS_AT_ONCE * rate:
            yield group
            group, longest = [], int(waves.lengths()[i])
        group.append(waves.ids[i])
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
