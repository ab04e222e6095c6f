"""Whether what a control gives has the form the harness builds on: cheap enough to be asked of every batch of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controls.base import Control

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.mel import MelScale

Outcome = tuple[bool, str]
# names of arrays that stand beside a signal's own: files of its artefacts, and a predictor's batches
TAKEN = ("features", "made", "predictor", "signal", "skipped", "valid")
ROUNDING = 1e-5  # a hint may leave [0, 1] by this much: float32 sums of weights that add up to 1 do, and no run should end for it


def names_fit(control: Control) -> Outcome:
    """Whether heads and carried arrays have names that files and batches can have, each its own."""
    names = [*control.heads(), *control.carries]
    for name in names:
        if not (isinstance(name, str) and name.isidentifier()) or name in TAKEN:
            return (
                False,
                f"{name!r} cannot name a head or a carried array: a word of letters, digits and _, none of {', '.join(TAKEN)}",
            )
    twice = sorted({name for name in names if names.count(name) > 1})
    return not twice, f"{', '.join(twice)} is a head and carried, or carried twice" if twice else ""


def signal_fits(control: Control, signal: Signal, clips: int, slots: int) -> Outcome:
    """Whether `signal` has an array [clips, n, slots] for each head and each name carried, of the values its head allows."""
    expected = {*control.heads(), *control.carries}
    if set(signal) != expected:
        return False, f"extract gives {sorted(signal)}, heads and carries say {sorted(expected)}"
    for name, array in signal.items():
        head = control.heads().get(name)
        n = head.n if head else (array.shape[1] if array.ndim == 3 else None)
        if tuple(array.shape) != (clips, n, slots):
            return False, f"{name} is {list(array.shape)}, expected {[clips, n or 'n', slots]}"
    return values_fit(control, signal)


def values_fit(control: Control, signal: Signal) -> Outcome:
    """Codes are integers inside their head, yes/no values 0 or 1, scalars and what is carried finite floats."""
    for name, array in signal.items():
        head = control.heads().get(name)
        kind = head.kind if head else "scalar"
        if head and kind == "class" and (array.is_floating_point() or array.min() < 0 or array.max() >= head.size):
            found = f"{array.dtype} in {array.min()} ... {array.max()}"
            return False, f"{name} must hold integers in 0 ... {head.size - 1}, got {found}"
        if kind == "binary" and not ((array == 0) | (array == 1)).all():
            return False, f"{name} must hold 0 and 1, got {array.unique()[:5].tolist()}"
        if kind == "scalar" and not array.is_floating_point():
            return False, f"{name} must hold finite floats, got {array.dtype}"
        if kind == "scalar" and not array.isfinite().all():
            return False, f"{name} must hold finite floats, got {(~array.isfinite()).sum()} that are not finite"
        if head is None and not array.half().isfinite().all():
            return (
                False,
                f"{name} is carried, thus kept in half precision, which ends at 65504: got {array.abs().max():g}, scale it",
            )
    return True, ""


def picture_fits(hint: Tensor, scale: MelScale, clips: int) -> Outcome:
    """Whether `hint` is what the ControlNet takes; one picture may serve all clips."""
    if hint.ndim != 3 or tuple(hint.shape[1:]) != (scale.bins, scale.frames) or hint.shape[0] not in (1, clips):
        return False, f"the hint is {list(hint.shape)}, expected {[clips, scale.bins, scale.frames]}"
    if not hint.is_floating_point():
        return False, f"the hint must hold finite floats, got {hint.dtype}"
    if not hint.isfinite().all():
        return False, f"the hint must hold finite floats, got {(~hint.isfinite()).sum()} that are not finite"
    if hint.min() < -ROUNDING or hint.max() > 1 + ROUNDING:
        return False, f"the hint must lie in [0, 1] (0: log floor, 1: ceiling), got {hint.min():.3f} ... {hint.max():.3f}"
    return True, ""
