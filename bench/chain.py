"""How an experiment becomes scores: each line makes one artefact from the ones above it. Nothing here reads a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench import artefacts
from bench.data.base import Data
from bench.encoders import Names
from bench.experiment import Experiment
from bench.prompts import Prompt, Said
from bench.store import Store
from bench.unheard import Unheard


def scores(x: Experiment, store: Store) -> Path:
    """The scores of the sound that `x` describes."""
    return scored(x, sound(x, store), store)


def sound(x: Experiment, store: Store, said: Prompt | Said | None = None) -> Path:
    """The generated sound of every clip of the split: `none` from the text alone, all others under their hints.

    said: what the text encoder is told when sound is made; None: what the networks were taught with, `x.prompt`. Of videos whose own
    sound is not looked at nothing is true but their looks: every head is predicted.
    """
    clips = decoded(x.data, store)
    prompt, words = text_prompt(x, said or x.prompt, clips, store), pseudo_words(x, clips, store)
    if not x.controls:
        return store(artefacts.sample, x.sampling, prompt, x.backbone, x.split, clips, None, None, None, None, *words)
    taught = decoded(x.taught, store)
    net = controlnet(x, taught, store)
    unheard = x.data.silent and not x.watches
    truth = hints = Unheard(x.scale, x.step) if unheard else true_signals(x, clips, store)
    if x.heads:
        predictor = trained_predictor(x, taught, store)
        motion = store(artefacts.features, "motion", x.motion, clips)
        hints = store(artefacts.hints, x.predictor, x.control.used("signal"), x.heads, truth, motion, clips, predictor)
    drawn = x.control.used("predicted" if x.heads else "true")
    return store(artefacts.sample, x.sampling, prompt, x.backbone, x.split, clips, drawn, x.controlnet, net, hints, *words)


def misled(x: Experiment, way: str, store: Store) -> Path:
    """The sound of `x` by true hints that are wrong on purpose (`bench.stages.distort`): what follows its hint must change."""
    clips, taught = decoded(x.data, store), decoded(x.taught, store)
    wrong = store(
        artefacts.distort, way, x.control.used("signal"), x.scale, x.step, x.split, clips, true_signals(x, clips, store)
    )
    net, words = controlnet(x, taught, store), pseudo_words(x, clips, store)
    drawn, prompt = x.control.used("true"), text_prompt(x, x.prompt, clips, store)
    return store(artefacts.sample, x.sampling, prompt, x.backbone, x.split, clips, drawn, x.controlnet, net, wrong, *words)


def reference(x: Experiment, store: Store) -> Path:
    """The scores of the true sound through the backbone's VAE and vocoder: the ceiling of what any control can reach."""
    return scored(x, store(artefacts.reconstruct, x.backbone, x.split, decoded(x.data, store)), store)


def scored(x: Experiment, sound: Path, store: Store) -> Path:
    """The scores of a folder of sounds against the real ones, both heard by the same judges: the real ones once for all systems.

    Judges of timing hear clips whose length is not the real one's again, cut or padded to it (metrics.md, section 0).
    """
    clips = decoded(x.data, store)
    heard = tuple(store(artefacts.judge, judge, sound, x.split) for judge in x.judges)
    real = tuple(store(artefacts.judge, judge, clips, x.split) for judge in x.judges)
    pairs = store(artefacts.pairs, heard, real)
    for judge in (j for j in x.judges if j.trims):
        heard += (store(artefacts.judge, judge, sound, None, pairs, "made"),)
        real += (store(artefacts.judge, judge, clips, None, pairs, "real"),)
    return store(artefacts.score, heard, real, clips, pairs)


def trained_predictor(x: Experiment, taught: Path, store: Store) -> Path:
    """The predictor of `x`'s control, taught by the true signals of the clips `taught`; or the one whose weights were given."""
    if x.predictor.path:
        return store(artefacts.given_predictor, x.predictor, x.control.used("signal"), x.positions)
    lesson = true_signals(x, taught, store)
    seen = store(artefacts.features, "motion", x.motion, taught)
    return store(artefacts.train_predictor, x.predictor, x.control.used("signal"), x.positions, lesson, seen, taught)


def controlnet(x: Experiment, taught: Path, store: Store) -> Path:
    """The ControlNet of `x`'s control, taught by hints of the clips `taught`, true ones unless said otherwise; or the one given."""
    if x.controlnet.path:
        return store(artefacts.given_controlnet, x.controlnet, x.backbone)
    latents = store(artefacts.latents, x.backbone, taught)
    lesson, drawn = true_signals(x, taught, store), x.control.used("true")
    if x.controlnet.hints == "predicted":
        seen, drawn = store(artefacts.features, "motion", x.motion, taught), x.control.used("predicted")
        lesson = store(artefacts.out_of_fold, x.predictor, x.control.used("signal"), x.positions, lesson, seen, taught)
    return store(artefacts.train_controlnet, x.controlnet, x.taught_with, x.backbone, drawn, latents, taught, lesson)


def text_prompt(x: Experiment, prompt: Prompt | Said, clips: Path, store: Store) -> Prompt | Said | Path:
    """What the text encoder is told of `clips`: `prompt`, or of each the class that its video looks most like."""
    if prompt != "zeroshot":
        return prompt
    seen = store(artefacts.features, "looks", x.looks, clips)
    return store(artefacts.zeroshot, Names(x.looks), x.split, clips, seen, x.taught)


def pseudo_words(x: Experiment, clips: Path, store: Store) -> tuple:
    """What sampling is told besides the prompts: nothing, or the inversion, its adapter and the looks of `clips`."""
    if x.adapter is None:
        return ()
    taught = decoded(x.taught, store)
    latents = store(artefacts.latents, x.backbone, taught)
    seen = store(artefacts.features, "looks", x.looks, taught)
    how = replace(x.adapter, live=False)  # in training dropout is on anyway
    net = store(artefacts.train_inversion, how, x.taught_with, x.backbone, latents, taught, seen)
    return x.adapter, net, store(artefacts.features, "looks", x.looks, clips)


def true_signals(x: Experiment, clips: Path, store: Store) -> Path:
    """The control's true signal of every clip of `clips`; of those with a picture where the control is made of the video."""
    seen = (store(artefacts.features, "looks", x.looks, clips),) if x.watches else ()
    return store(artefacts.signals, x.control.used("signal"), x.scale, x.step, clips, *seen)


def cost(x: Experiment, store: Store) -> Path:
    """What the control's true signal on the train split measures."""
    taught = decoded(x.taught, store)
    return store(artefacts.cost, x.control.used("signal"), true_signals(x, taught, store), taught)


def decoded(data: Data, store: Store) -> Path:
    """The decoded clips of `data`."""
    here = rooted(data, store)
    clips = store(artefacts.clips, here)
    store.ctx.know(clips.name, here)
    return clips


def rooted(data: Data, store: Store) -> Data:
    """`data` with its files in place: a world that is rendered is rendered first."""
    return replace(data, root=str(store(artefacts.world, data))) if data.rendered else data  # type: ignore[call-arg]
