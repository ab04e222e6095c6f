"""Hints for training the ControlNet as they will be when sound is made: each clip's by a predictor that did not learn from it."""

from __future__ import annotations

from pathlib import Path

from bench.clipset import Clips
from bench.context import Context
from bench.errors import Failed
from bench.stages.lessons import Pairs
from bench.stages.predict import chunks, guess, learnt, quality_of, written
from bench.store import write_json
from controls.base import Control
from melqcd.settings import V2X

FOLDS = 5  # of the train split


def out_of_fold(
    out: Path, part: Path, ctx: Context, how: V2X, control: Control, positions: int, truth: Path, motion: Path, clips: Path
) -> None:
    """Signals of the train and val clips as they are predicted by a predictor that did not learn from the clip.

    The train split falls into FOLDS parts by hash of the clip's id; each is predicted by a predictor that the others taught, val by
    the first of these. Every head is predicted; arrays that nobody predicts are the true ones. predictor.json says how good the
    predictions are, as that of `hints` does. Each predictor goes on from its own checkpoint.
    """
    torch = ctx.torch()
    from melqcd.training import number

    known = Clips(clips)
    pairs = Pairs(control, truth, motion, positions, known, padded=how.padding == "target")
    folds = {id: number("fold", id) % FOLDS for id in pairs.usable(known.ids("train"))}
    if len(set(folds.values())) < 2:
        raise Failed(f"the train split has {len(folds)} clips with a picture: too few to predict each by what the others teach")
    held, guessed = pairs.usable(known.ids("val")), {}
    for k in sorted(set(folds.values())):
        net, _, chosen = learnt(how, control, pairs, [id for id in folds if folds[id] != k], held, part, ctx, f"fold{k}")
        wanted = [id for id in folds if folds[id] == k] + [id for id in held if id not in guessed]
        with torch.inference_mode():
            for some in chunks(wanted):
                guessed |= guess(net.to(ctx.device).eval(), control, pairs, some, chosen.thresholds, ctx.device)
    with written(out, control, truth) as add:
        for id in sorted(guessed):
            add(id, {name: values.T for name, values in guessed[id].items()})
    splits = {"train": sorted(folds), "val": held}
    write_json(out / "predictor.json", {s: quality_of(control, pairs, ids, guessed, known) for s, ids in splits.items() if ids})
    write_json(out / "signal.json", pairs.told)
