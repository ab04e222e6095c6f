"""`bench show`: a picture of a control signal on one clip, from which one can learn what the signal keeps and what it drops."""

from __future__ import annotations

from dataclasses import fields, replace
from difflib import get_close_matches
from math import log
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import Refused
from controls.registry import name_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.experiment import Experiment
    from bench.store import Store
    from controls.base import Control
    from melqcd.mel import MelScale

ONSET = "#12b5d8"  # of the dashed lines


def picture(x: Experiment, store: Store, named: str, out: Path) -> Path:
    """Draw `x.control` on the clip `named` (a file, or an id of `x.data`) into `out`, a png or a folder; the path of the picture.

    Raises Refused if there is neither such a file nor such an id, or the file holds no sound, or no picture to make the signal of.
    """
    from bench.media import sound

    heard, seen, name = _files(x, store, named)
    wave = sound(heard, x.scale.rate)
    looks = _looks(x, seen, min(len(wave), x.scale.samples)) if x.watches else None
    path = Path(out)
    if path.suffix.lower() != ".png":
        path /= f"{name}-{name_of(type(x.control))}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = draw(x.control, wave, x.scale, step=x.step, name=name, looks=looks)
    figure.savefig(path, dpi=110)
    return path


def draw(
    control: Control, wave: np.ndarray, scale: MelScale, *, step: int = 4, name: str = "clip", looks: np.ndarray | None = None
) -> Figure:
    """The figure for a sound `wave` [samples] at `scale.rate`: true mel, the parts of the signal, the hint; onsets dashed on all.

    looks: image embeddings [positions, d] at 25 a second, for a control that is made of the video.
    A sound longer than the picture is cut to it; one without a single frame is a ValueError.
    """
    import torch
    from matplotlib.figure import Figure

    from bench.panels import frequency_axis, panels
    from bench.stages.signals import at_slots
    from controls.base import Batch
    from melqcd.mel import to_image
    from melqcd.onset import RATE, onsets, resampled

    length = min(len(wave), scale.samples)
    frames, seconds = length // scale.hop, length / scale.rate
    if not frames:
        raise ValueError(f"{name} has {len(wave)} samples; one frame of the mel takes {scale.hop}")
    sound = torch.zeros(1, scale.samples)
    sound[0, :length] = torch.from_numpy(wave[:length].copy())
    with torch.inference_mode():
        batch = Batch.of(sound, scale, samples=torch.tensor([length]), step=step)
        if looks is not None:
            batch = replace(batch, looks=at_slots([looks], batch))
        signal = control.extract(batch)
        hint = control.render(signal, scale)[0, :, :frames].numpy()
        image = to_image(batch.mel, scale)[0, :, :frames].numpy()
        beats = onsets(*resampled(sound, scale.rate, batch.samples))[0] / RATE
    parts = panels(control, {k: v[0, :, : -(-frames // step)] for k, v in signal.items()}, scale, step)

    figure = Figure(figsize=(13, 5.6 + 1.5 * len(parts)), layout="constrained")
    axes = figure.subplots(2 + len(parts), 1, sharex=True, height_ratios=[2.2, *[1.0] * len(parts), 2.2])
    titles = (f"True mel: {scale.bins} bins, {scale.rate_frames:.0f} frames a second", _of_hint(control, hint, image, scale))
    low = float(np.quantile(image, 0.01))  # what is rarer than one value in a hundred may saturate
    across = {
        "cmap": "magma",
        "aspect": "auto",
        "interpolation": "nearest",
        "extent": (0, frames / scale.rate_frames, scale.bins, 0),
    }
    limits = {"vmin": low, "vmax": max(low + 0.1, float(image.max()))}
    mesh = axes[0].imshow(image, **across, **limits)
    axes[-1].imshow(hint, **across, **({"vmin": 0, "vmax": 1} if _is_mask(control) or control.source == "video" else limits))
    for axis, title in zip((axes[0], axes[-1]), titles):
        axis.set_title(title, loc="left", fontsize=10)
        if axis is axes[-1] and control.source == "video":
            axis.set_yticks([])
        else:
            frequency_axis(axis, scale, scale.bins)
    for axis, panel in zip(axes[1:-1], parts):
        panel(axis)
    for axis in axes:
        for beat in beats:
            axis.axvline(beat, color=ONSET, lw=1, ls=(0, (4, 3)))
        axis.set_xlim(0, seconds)
    bar = figure.colorbar(mesh, ax=list(axes), aspect=50, pad=0.01)
    bar.set_label(f"image units: 0 = ln {scale.floor:g} (silence), 1 = ln {scale.ceiling:g}", fontsize=9)
    axes[-1].set_xlabel("seconds (dashed: onsets as Onset ACC hears them)")
    figure.suptitle(heading(control, name, scale, step), fontsize=12, ha="left", x=0.01)
    return figure


def heading(control: Control, name: str, scale: MelScale, step: int) -> str:
    """What is shown, and what it costs: `melqcd bands=16 on 185302_0: 25 slots a second, 25.4 bits and 2 reals each`."""
    changed = [f"{f.name}={getattr(control, f.name)}" for f in fields(control) if getattr(control, f.name) != f.default]  # type: ignore[arg-type]
    cost, rate = control.complexity(), scale.rate_frames / step
    bits, reals = f"{cost.bits:.4g} bit{'s' * (cost.bits != 1)}", f"{cost.reals} real{'s' * (cost.reals != 1)}"
    each = " and ".join([bits] * (cost.codes > 1) + [reals] * (cost.reals > 0))
    words = " ".join([name_of(type(control)), *changed])
    return f"{words} on {name}: {rate:g} slots a second, {each or 'nothing to predict'}{' each' * bool(each)}"


def _is_mask(control: Control) -> bool:
    heads = control.heads().values()
    return bool(heads) and all(head.kind == "binary" for head in heads)


def _of_hint(control: Control, hint, image, scale: MelScale) -> str:
    title = "Hint: what the ControlNet sees"
    if _is_mask(control):
        return title + " (a mask: 1 where something begins)"
    if control.source == "video":
        return title + " (made of the video, no mel: black is 0, white 1)"
    away = float(np.abs(hint - image).mean())
    decibels = away * 20 / log(10) * (scale.log_ceiling - scale.log_floor)
    return f"{title}; on average {away:.3f} ({decibels:.1f} dB) from the true mel"


def _looks(x: Experiment, video: Path | None, samples: int) -> np.ndarray:
    """[positions, d] image embeddings of the first `samples` of a clip, as the stage `features` makes them."""
    from bench.media import squares
    from bench.stages.features import positions

    if video is None:
        raise Refused(f"control={name_of(type(x.control))} is made of the video, and this clip has none")
    eyes = x.looks.load("cpu")
    return eyes(squares(video, np.arange(positions(samples, x.scale.rate)) / 25, eyes.side))


def _files(x: Experiment, store: Store, named: str) -> tuple[Path, Path | None, str]:
    """(the file that holds the sound, the one that holds the picture, name)."""
    from bench.chain import rooted
    from bench.media import AUDIO, VIDEO

    path = Path(named)
    if path.is_file():
        return path, None if path.suffix.lower() in AUDIO else path, path.stem
    if path.is_dir():
        raise Refused(f"{named} is a folder: name one file, or an id of data=...")
    if path.suffix.lower() in AUDIO | VIDEO or len(path.parts) > 1:
        raise Refused(f"{named}: no such file")
    items = {item.id: item for item in rooted(x.data, store).items()}
    if named not in items:
        guess = get_close_matches(named, items, n=1)
        raise Refused(
            f"{named} is neither a file nor one of the {len(items)} clips of the data."
            + (f" Did you mean {guess[0]!r}?" if guess else "")
        )
    heard = items[named].audio or items[named].video
    assert heard is not None
    return heard, items[named].video, named


def print_proposition1(x: Experiment, store: Store) -> None:
    """`bench show proposition1`: see bench/proposition1.py."""
    from bench import proposition1

    proposition1.print_proposition1(x, store)
