"""Sound: sampled from the backbone under a control's hints, or the true sound through the same VAE and vocoder."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.backbones import AnyBackbone
from bench.clipset import Clips
from bench.context import Context
from bench.hints import Hints
from bench.inverted import inverted
from bench.prompts import Prompt, Said, prompt_of
from bench.stages import zeroshot
from bench.store import replace_file, write_json
from bench.windows import covering, join
from controls.base import Control
from melqcd.sampling import Sampler
from melqcd.settings import Adapter, ControlNet

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from melqcd.backbone import Backbone

AT_ONCE = 16  # windows in one batch; noise belongs to the clip, so the batch changes nothing but speed
STEP = 4  # windows begin on a slot


def sample(
    out: Path, part: Path, ctx: Context, sampler: Sampler, prompt: Prompt | Said | Path, backbone: AnyBackbone, split: str, clips: Path,
    control: Control | None, how: ControlNet | None, net: Path | None, hints: Path | None,
    inversion: Adapter | None = None, adapter: Path | None = None, looks: Path | None = None,
) -> None:  # fmt: skip
    """Write the sound of every clip of `split` as ID.wav, and sounds.csv; without a control from the text alone.

    prompt: a path is that of a `zeroshot` artefact, the label that each clip's video looks most like.
    A clip longer than the backbone's picture is made in windows that overlap by an eighth and are cross-faded; all have the
    pseudo-words of its whole video. Clips whose hint, pseudo-words or prompt could not be made (no picture to make them of) are left
    out; skipped.json names them.
    """
    torch = ctx.torch()
    from melqcd.sampling import clip_noise, generate

    model = ctx.kept(("backbone", backbone, sampler.precision), lambda: backbone.load(ctx.device))
    model.narrow(sampler.precision)
    drawn = Hints(control, hints, model.scale) if control is not None and hints is not None else None
    loaded = (
        ctx.kept(("controlnet", backbone, how, net, sampler.precision), lambda: how.load(net, model))
        if how is not None and net is not None
        else None
    )
    wordy = inverted(inversion, adapter, looks, model)
    empty = model.words([""])
    voice = ctx.kept(("voice", backbone), lambda: backbone.voice(ctx.device))
    ctx.compiled(model.unet, loaded)

    def pictures(ids: Sequence[str], labels: Sequence[str], firsts: Sequence[int]) -> Tensor:
        words = model.words(labels) if wordy is None else wordy(labels, ids, firsts, sampler.seed)
        # the noise of a clip's window: by clip and place, so that it is the same under every control
        noise = torch.cat(
            [clip_noise([i], model.latent_shape, seed=sampler.seed, sample=f) for i, f in zip(ids, firsts, strict=True)]
        )
        shown = None
        if drawn is not None and loaded is not None and how is not None:
            shown = how.show(drawn.draw(ids, firsts, frames=model.scale.frames).to(ctx.device), model)
        with ctx.plainly(len(ids) < AT_ONCE):  # the last batch, of another size than all others
            made = generate(model, sampler, noise, words, net=loaded, shown=shown, empty=empty)
        return model.decode(made)

    known = Clips(clips, ctx.roots.get(clips.name))
    drawable = [i for i in known.ids(split) if drawn is None or i in drawn]
    told = zeroshot.read(prompt) if isinstance(prompt, Path) else prompt
    ids = [i for i in drawable if (wordy is None or i in wordy) and (not isinstance(told, dict) or i in told)]
    if wordy is not None:
        wordy.check(prompt_of(known.rows[i].label, told, clip=i) for i in ids)
    _sounds(out, part, ctx, known, ids, model, voice, pictures, told, "sampling")
    skipped = {"no hint": sorted(set(known.ids(split)) - set(drawable))}
    if wordy is not None or isinstance(told, dict):
        skipped |= {"no picture": sorted(set(drawable) - set(ids))}
    write_json(out / "skipped.json", skipped)


def reconstruct(out: Path, part: Path, ctx: Context, backbone: AnyBackbone, split: str, clips: Path) -> None:
    """The row `reference`: the true sound of every clip of `split` through the backbone's VAE and vocoder, without diffusion."""
    torch = ctx.torch()
    from bench.stages.latents import window
    from melqcd.mel import log_mel, to_image

    known, model = Clips(clips, ctx.roots.get(clips.name)), backbone.load(ctx.device)

    def pictures(ids: Sequence[str], labels: Sequence[str], firsts: Sequence[int]) -> Tensor:
        wave, lengths = known.batch(ids)
        mel = log_mel(wave.to(ctx.device), model.scale, samples=lengths.to(ctx.device))
        cut = [window(m, f, model.scale.frames, model.scale.log_floor) for m, f in zip(mel, firsts, strict=True)]
        return model.decode(model.encode(to_image(torch.stack(cut), model.scale)))

    _sounds(out, part, ctx, known, known.ids(split), model, backbone.voice(ctx.device), pictures, "generic", "reconstructing")


def _sounds(
    out: Path, part: Path, ctx: Context, known: Clips, ids: list[str], model: Backbone, voice: Callable[[Tensor], Tensor],
    pictures: Callable[[Sequence[str], Sequence[str], Sequence[int]], Tensor], prompt: Prompt | Said | Mapping[str, str], label: str,
) -> None:  # fmt: skip
    """Make each window's picture and wave in batches, join a clip's windows, write it into `part`, and gather all in `out`."""
    import torch

    from bench.media import write_wav

    scale = model.scale
    overlap = scale.frames // 8 // STEP * STEP
    todo: list[tuple[str, int]] = []
    for id in ids:
        if not (part / f"{id}.wav").exists():
            firsts = covering(len(known.waves[id]), scale.hop, scale.frames, overlap=overlap, step=STEP)
            todo += [(id, first) for first in firsts]
    pieces: dict[str, list[tuple[int, np.ndarray]]] = {}
    wanted = {id: sum(1 for i, _ in todo if i == id) for id in dict.fromkeys(i for i, _ in todo)}
    with torch.inference_mode():
        for group in ctx.track([todo[i : i + AT_ONCE] for i in range(0, len(todo), AT_ONCE)], label):
            names, firsts = [i for i, _ in group], [f for _, f in group]
            labels = [prompt_of(known.rows[i].label, prompt, clip=i) for i in names]
            waves = voice(pictures(names, labels, firsts)).cpu().numpy()
            for id, first, wave in zip(names, firsts, waves, strict=True):
                pieces.setdefault(id, []).append((first * scale.hop, wave))
                if len(pieces[id]) == wanted[id]:
                    found = sorted(pieces.pop(id), key=lambda p: p[0])
                    sound = join([w for _, w in found], [a for a, _ in found], len(known.waves[id]))
                    replace_file(part / f"{id}.wav", lambda draft, sound=sound: write_wav(draft, sound, scale.rate))
            ctx.check()
    with open(out / "sounds.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "file", "video", "label", "split", "seconds"])
        for id in ids:
            clip = known.rows[id]
            (part / f"{id}.wav").rename(out / f"{id}.wav")
            seconds = f"{len(known.waves[id]) / known.rate:.6f}"
            rows.writerow([id, f"{id}.wav", clip.video or "", clip.label, clip.split, seconds])
