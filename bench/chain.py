"""How an experiment becomes scores: each line makes one artefact from the ones above it. Nothing here reads a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench import stages
from bench.data.base import Data
from bench.experiment import Experiment
from bench.store import Store


def scores(x: Experiment, store: Store) -> Path:
    """The scores of the sound that `x` describes."""
    return scored(x, sound(x, store), store)


def sound(x: Experiment, store: Store) -> Path:
    """The generated sound of every clip of the split: `none` from the text alone, all others under their hints."""
    clips = decoded(x.data, store)
    if not x.controls:
        return store(stages.sample, x.sampling, x.prompt, x.backbone, x.split, clips, None, None, None, None)
    truth = store(stages.signals, x.control, x.scale, x.step, clips)
    latents = store(stages.latents, x.backbone, clips)
    net = store(stages.train_controlnet, x.controlnet, x.prompt, x.backbone, x.control, latents, clips, truth)
    hints = truth
    if x.heads:
        motion = store(stages.features, "motion", x.motion, clips)
        predictor = store(stages.train_predictor, x.predictor, x.control, x.positions, truth, motion, clips)
        hints = store(stages.hints, x.predictor, x.control, x.heads, truth, motion, clips, predictor)
    return store(stages.sample, x.sampling, x.prompt, x.backbone, x.split, clips, x.control, x.controlnet, net, hints)


def reference(x: Experiment, store: Store) -> Path:
    """The scores of the true sound through the backbone's VAE and vocoder: the ceiling of what any control can reach."""
    return scored(x, store(stages.reconstruct, x.backbone, x.split, decoded(x.data, store)), store)


def scored(x: Experiment, sound: Path, store: Store) -> Path:
    """The scores of a folder of sounds against the real ones; both sides heard by the same judges, the real one once for all."""
    clips = decoded(x.data, store)
    heard = tuple(store(stages.judge, judge, sound, x.split) for judge in x.judges)
    real = tuple(store(stages.judge, judge, clips, x.split) for judge in x.judges)
    return store(stages.score, heard, real, clips, x.split)


def decoded(data: Data, store: Store) -> Path:
    """The decoded clips of `data`."""
    return store(stages.clips, rooted(data, store))


def rooted(data: Data, store: Store) -> Data:
    """`data` with its files in place: a world that is rendered is rendered first."""
    return replace(data, root=str(store(stages.world, data))) if data.rendered else data  # type: ignore[call-arg]
