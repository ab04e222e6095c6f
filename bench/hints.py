"""The hint of a window of a clip: its control's signal, drawn at the backbone's size when it is needed and never stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import Failed
from bench.ragged import Ragged
from controls import registry
from controls.base import Control
from controls.fit import picture_fits
from melqcd.mel import MelScale

if TYPE_CHECKING:
    from torch import Tensor


class Hints:
    """`Hints(control, folder of signals, scale)`: pictures for (clip, first frame), black beyond the clip's end."""

    def __init__(self, control: Control, signals: Path, scale: MelScale):
        self.control, self.scale = control, scale
        told = json.loads((signals / "signal.json").read_text())
        self.signals = {name: Ragged(signals, name) for name in told["arrays"]}
        self.step: int = told["step"]

    def __contains__(self, id: str) -> bool:
        return all(id in s for s in self.signals.values())

    def draw(self, ids: Sequence[str], firsts: Sequence[int], *, frames: int) -> Tensor:
        """[B, bins, frames] in [0, 1] of the windows that begin at `firsts` (multiples of the step).

        Raises Failed, naming the control and its distribution, if it raises, or what it renders is no such picture.
        """
        import torch

        slots = frames // self.step
        signal, valid = {}, torch.zeros(len(ids), slots, dtype=torch.bool)
        for name, stored in self.signals.items():
            kind = torch.long if stored.rows.dtype.kind == "i" else torch.float32
            signal[name] = torch.zeros(len(ids), stored.rows.shape[-1], slots, dtype=kind)
            for row, (id, first) in enumerate(zip(ids, firsts, strict=True)):
                part = np.array(stored[id][first // self.step : first // self.step + slots])
                signal[name][row, :, : len(part)] = torch.from_numpy(part).T
                valid[row, : len(part)] = True
        scale = replace(self.scale, frames=frames)
        with told_whose(self.control, ids):
            hint = self.control.render(signal, scale)
            fits, detail = picture_fits(hint, scale, len(ids))
            if not fits:
                raise Failed(detail)
        return hint * valid.repeat_interleave(self.step, -1)[:, None, :frames]


@contextmanager
def told_whose(control: Control, ids: Sequence[str]) -> Iterator[None]:
    """What is raised inside comes out as Failed, in one line: the control and its distribution, what was wrong, for which clips."""
    try:
        yield
    except Exception as error:  # a plugin may fail in any way
        what = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
        some = f"{', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''}"
        raise Failed(f"{registry.told(control)}: {' '.join(what.split())} (clips {some})") from error
