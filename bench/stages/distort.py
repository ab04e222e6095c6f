"""True hints made wrong on purpose: what a control's sound must notice if it follows its hint at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import numpy as np

from bench.clipset import Clips
from bench.context import Context
from bench.ragged import Ragged, RaggedWriter
from bench.store import write_json
from controls.base import Batch, Control
from melqcd.mel import MelScale

Way = Literal["shuffled", "shifted", "zeroed"]
SHIFT_S = 0.2  # by which hints come late


def distort(
    out: Path, part: Path, ctx: Context, way: Way, control: Control, scale: MelScale, step: int, split: str, clips: Path, truth: Path
) -> None:  # fmt: skip
    """Write the signals of the clips of `split` as the stage `signals` does, wrong in one way.

    shuffled: each clip has the next one's, cut to its own length or filled up with silence. shifted: 0.2 s late, silence before.
    zeroed: silence throughout. Silence is what the control makes of a silent sound; zeros where it is made of the picture.
    """
    ctx.torch()
    names = (*control.heads(), *control.carries)
    ids = [i for i in Clips(clips).ids(split) if all(i in Ragged(truth, name) for name in names)]
    quiet = _silence(control, scale, step)
    late = round(SHIFT_S * scale.rate / scale.hop / step)
    for name in names:
        stored = Ragged(truth, name)
        fill = quiet.get(name, np.zeros(stored.rows.shape[-1], stored.rows.dtype))
        with RaggedWriter(out, name, dtype=stored.rows.dtype.name, tail=stored.rows.shape[1:]) as writer:
            for place, id in enumerate(ids):
                other = np.array(stored[ids[(place + 1) % len(ids)]])
                writer.add(id, distorted(np.array(stored[id]), other, fill, way, late))
            ctx.check()
    write_json(out / "facts.json", {"way": way, "shift_slots": late if way == "shifted" else 0, "clips": len(ids)})
    shutil.copyfile(truth / "signal.json", out / "signal.json")


def distorted(own: np.ndarray, other: np.ndarray, fill: np.ndarray, way: Way, late: int) -> np.ndarray:
    """[slots, n], as long as `own`: `other`, or `own` later by `late` slots, or nothing but `fill` [n]."""
    made = np.tile(fill.astype(own.dtype), (len(own), 1))
    if way == "shuffled":
        there = min(len(own), len(other))
        made[:there] = other[:there]
    elif way == "shifted":
        made[late:] = own[: len(own) - late] if late < len(own) else own[:0]
    return made


def _silence(control: Control, scale: MelScale, step: int) -> dict[str, np.ndarray]:
    """{array: [n]} of one slot of a silent sound; {} for a control that is made of the picture."""
    import torch

    if control.source == "video":
        return {}
    found = control.extract(Batch.of(torch.zeros(1, scale.samples), scale, step=step))
    return {name: values[0, :, 0].numpy() for name, values in found.items()}
