"""The cost of a control's true signal, measured on the train split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.clipset import Clips
from bench.context import Context
from bench.cost import head_entropy
from bench.ragged import Ragged
from bench.store import write_json
from controls.base import Control


def cost(out: Path, part: Path, ctx: Context, control: Control, truth: Path, clips: Path) -> None:
    """Write cost.json: bits of a slot by head (`bench.cost.head_entropy`) and together, and how many numbers are carried unpredicted.

    entropy, entropy_per_slot: null for a head of scalars, and for a signal of nothing else. slots: of the train split, on which both
    are measured.
    """
    ids = Clips(clips).ids("train")
    found: dict[str, float | None] = {}
    slots = 0
    for name, head in control.heads().items():
        stored = Ragged(truth, name)
        values = [stored[id] for id in ids if id in stored]
        slots = sum(map(len, values))
        found[name] = head_entropy(head, np.concatenate(values)) if slots else None
        ctx.check()
    carried = {name: Ragged(truth, name).rows.shape[-1] for name in control.carries}
    known = [bits for bits in found.values() if bits is not None]
    told = {"entropy": found, "entropy_per_slot": sum(known) if known else None, "slots": slots, "carried": carried}
    write_json(out / "cost.json", told)
