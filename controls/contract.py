"""What every control signal must hold to, as plain functions: `check(control)` runs them on small synthetic sounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING

from controls.base import Batch, Control
from controls.fit import Outcome, names_fit, picture_fits, values_fit

if TYPE_CHECKING:
    from controls.base import Signal
    from melqcd.mel import MelScale

SAME = 1e-3  # of scalars and pictures between a batch and its clips: what float32 transforms of other sizes leave
FLIPS = 0.01  # share of codes that may differ there: values on the edge between two levels


def check(control: Control, *, scale: MelScale | None = None, looks: int = 16) -> list[tuple[str, bool, str]]:
    """(what must hold, whether it does, what was found) for each rule; a rule that raises does not hold.

    scale: the lab's when left out. looks: size of the random image embeddings that a control may use.
    """
    from melqcd.mel import Lab

    scale = scale or Lab()
    found = []
    for rule in RULES:
        try:
            ok, detail = rule(control, scale, looks)
        except Exception as error:  # whatever a plugin raises is its finding
            ok, detail = False, f"{type(error).__name__}: {error}"
        found.append((rule.__doc__ or rule.__name__, ok, detail))
    return found


def sounds(scale: MelScale, *, step: int = 4, looks: int = 16) -> Batch:
    """Seven clips: beats, a chord, noise, a sweep, a short clip, one shorter than a frame, and silence."""
    import torch

    length = scale.samples
    at = torch.arange(length) / scale.rate
    noise = torch.randn(length, generator=torch.Generator().manual_seed(0))
    beats = noise * torch.exp(-25 * (at % 0.5))
    chord = sum(torch.sin(2 * torch.pi * hz * at) for hz in (220.0, 440.0, 1330.0)) * torch.exp(-at)
    sweep = torch.sin(2 * torch.pi * 300 * at * (1 + at))
    wave = torch.stack([beats, chord, noise, sweep, beats + chord, noise, torch.zeros(length)])
    samples = torch.tensor([length, length, length * 3 // 4, length, length // 3, scale.hop // 2, length])
    wave = wave * 0.3 * (torch.arange(length) < samples[:, None])
    batch = Batch.of(wave, scale, samples=samples, step=step)
    generator = torch.Generator().manual_seed(1)
    return replace(batch, looks=torch.randn(len(wave), batch.slots, looks, generator=generator))


def clip(batch: Batch, row: int) -> Batch:
    """Clip `row` of `batch` by itself, cut to its own length."""
    n = int(batch.samples[row])
    alone = Batch.of(batch.wave[row : row + 1, :n], batch.scale, step=batch.step)
    return replace(alone, looks=None if batch.looks is None else batch.looks[row : row + 1, : alone.slots])


def outputs(control: Control, signal: Signal) -> Signal:
    """What a perfect predictor would emit for `signal`."""
    return {name: head.one_hot(signal[name]) for name, head in control.heads().items()}


def frozen(control: Control, scale: MelScale, looks: int) -> Outcome:
    """it is a frozen dataclass, and equal settings are equal and hash equally"""
    if not is_dataclass(control) or not type(control).__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return False, f"{type(control).__name__} is not a frozen dataclass"
    twin = type(control)(**{f.name: getattr(control, f.name) for f in fields(control) if f.init})
    return twin == control and hash(twin) == hash(control), ""


def keys(control: Control, scale: MelScale, looks: int) -> Outcome:
    """the signal has one array for each head and for each name it carries, under names of their own"""
    fits, detail = names_fit(control)
    if not fits:
        return fits, detail
    expected = {*control.heads(), *control.carries}
    found = set(control.extract(sounds(scale, looks=looks)))
    return (
        found == expected,
        "" if found == expected else f"extract gives {sorted(found)}, heads and carries say {sorted(expected)}",
    )


def slots(control: Control, scale: MelScale, looks: int) -> Outcome:
    """every array is [clips, n, slots], with n as its head says, at 25 slots a second and at the mel's own rate"""
    for step in (4, 1):
        batch = sounds(scale, step=step, looks=looks)
        for name, array in control.extract(batch).items():
            head = control.heads().get(name)
            n = head.n if head else (array.shape[1] if array.ndim == 3 else None)
            if tuple(array.shape) != (len(batch.wave), n, batch.slots):
                return False, f"{name} is {list(array.shape)}, expected {[len(batch.wave), n or 'n', batch.slots]} at step {step}"
    return True, ""


def ranges(control: Control, scale: MelScale, looks: int) -> Outcome:
    """codes are integers inside their head, yes/no values 0 or 1, scalars finite floats"""
    return values_fit(control, control.extract(sounds(scale, looks=looks)))


def hints(control: Control, scale: MelScale, looks: int) -> Outcome:
    """the hint is a finite picture [clips, bins, frames] in [0, 1], at both rates of slots"""
    for step in (4, 1):
        batch = sounds(scale, step=step, looks=looks)
        ok, detail = picture_fits(control.render(control.extract(batch), scale), scale, len(batch.wave))
        if not ok:
            return ok, f"{detail} (step {step})"
    return True, ""


def own_hints(control: Control, scale: MelScale, looks: int) -> Outcome:
    """a clip's hint is its own: it does not depend on the other clips of the batch"""
    signal = control.extract(sounds(scale, looks=looks))
    together = control.render(signal, scale)
    if len(together) == 1:  # one picture for all
        return True, ""
    for row, hint in enumerate(together):
        alone = control.render({name: array[row : row + 1] for name, array in signal.items()}, scale)[0]
        worst = (alone - hint).abs().max().item()
        if not worst <= SAME:
            return False, f"the hint of clip {row} differs by {worst:.2g} when it is drawn by itself"
    return True, ""


def telling(control: Control, scale: MelScale, looks: int) -> Outcome:
    """other signals are other hints: of two sounds, and of one sound shifted in time"""
    if not control.heads() and not control.carries:
        batch = sounds(scale, looks=looks)
        black = not control.render(control.extract(batch), scale).any()
        return (
            black,
            "it shows nothing" if black else "a signal without heads and carried arrays must show nothing, the hint is not black",
        )
    signal = control.extract(sounds(scale, looks=looks))
    hint = control.render(signal, scale)
    late = control.render({name: array.roll(array.shape[-1] // 3, -1) for name, array in signal.items()}, scale)
    if len(hint) == 1 or not (hint[0] - hint[1]).abs().max() > SAME:
        return False, "beats and a chord have the same hint"
    if not (late[0] - hint[0]).abs().max() > SAME:
        return False, "beats and the same beats a third later have the same hint"
    return True, ""


def decoding(control: Control, scale: MelScale, looks: int) -> Outcome:
    """decoding what a perfect predictor emits gives the signal back"""
    signal = control.extract(sounds(scale, looks=looks))
    decoded = control.decode(outputs(control, signal), thresholds={})
    wrong = [name for name in control.heads() if not decoded[name].eq(signal[name]).all()]
    return not wrong, f"{', '.join(wrong)} changed" if wrong else ""


def beyond(control: Control, scale: MelScale, looks: int) -> Outcome:
    """what the predictor is taught beyond a clip's end is said of every head"""
    found, heads = set(control.padding()), set(control.heads())
    return found == heads, "" if found == heads else f"padding gives {sorted(found)}, the heads are {sorted(heads)}"


def source(control: Control, scale: MelScale, looks: int) -> Outcome:
    """it reads what its source says: of the video the looks alone and nothing to predict, else nothing of the video"""
    import torch

    batch, video = sounds(scale, looks=looks), control.source == "video"
    if video and control.heads():
        return False, f"it is made of the video, so nothing is predicted, but it has heads: {', '.join(control.heads())}"
    mute = Batch.of(torch.zeros_like(batch.wave), scale, samples=batch.samples)
    whole, part = control.extract(batch), control.extract(replace(mute if video else batch, looks=batch.looks if video else None))
    wrong = [name for name in whole if not whole[name].equal(part[name])]
    return not wrong, f"{', '.join(wrong)} depends on the {'sound' if video else 'picture'}" if wrong else ""


def any_prediction(control: Control, scale: MelScale, looks: int) -> Outcome:
    """whatever a predictor emits, the hint is still a picture"""
    import torch

    signal = control.extract(sounds(scale, looks=looks))
    generator = torch.Generator().manual_seed(2)
    wild = {name: torch.randn(o.shape, generator=generator) * 5 for name, o in outputs(control, signal).items()}
    carried = {name: signal[name] for name in control.carries}
    return picture_fits(control.render({**control.decode(wild), **carried}, scale), scale, len(sounds(scale).wave))


def one_by_one(control: Control, scale: MelScale, looks: int) -> Outcome:
    """a batch of clips of unequal length is its clips one by one"""
    batch = sounds(scale, looks=looks)
    together = control.extract(batch)
    for row, there in enumerate(batch.valid.sum(-1).tolist()):
        alone = control.extract(clip(batch, row))
        for name, array in together.items():
            a, b = array[row, :, :there].double(), alone[name][0, :, :there].double()
            head = control.heads().get(name)
            exact = head is not None and head.kind != "scalar"
            largest = 1.0 if exact else float(array.abs().max()) or 1.0  # whatever unit the signal has
            worst = (a.ne(b).double().mean() if exact else (a - b).abs().max() / largest).item() if a.numel() else 0.0
            if not worst <= (FLIPS if exact else SAME):  # nan is no agreement
                told = f"in {worst:.1%} of its values" if exact else f"by {worst:.2g} of its largest value"
                return False, f"{name} of clip {row} differs {told}"
    return True, ""


def silence(control: Control, scale: MelScale, looks: int) -> Outcome:
    """silence is accepted and gives a picture"""
    import torch

    batch = Batch.of(torch.zeros(2, scale.samples), scale)
    batch = replace(batch, looks=torch.zeros(2, batch.slots, looks))
    return picture_fits(control.render(control.extract(batch), scale), scale, 2)


def short(control: Control, scale: MelScale, looks: int) -> Outcome:
    """a clip of one frame, and one shorter than a frame, are accepted"""
    import torch

    for n in (scale.hop, scale.hop // 2):
        batch = Batch.of(torch.full((1, n), 0.1), scale)
        signal = control.extract(replace(batch, looks=torch.zeros(1, batch.slots, looks)))
        wrong = [name for name, array in signal.items() if array.shape[0] != 1 or array.shape[-1] != batch.slots]
        if wrong:
            return (
                False,
                f"{', '.join(wrong)} of {n} samples: {[list(signal[w].shape) for w in wrong]}, expected {batch.slots} slots",
            )
    return True, ""


def pure(control: Control, scale: MelScale, looks: int) -> Outcome:
    """extracting twice gives the same and leaves the batch as it was"""
    batch, untouched = sounds(scale, looks=looks), sounds(scale, looks=looks)
    first, second = control.extract(batch), control.extract(batch)
    changed = [n for n in ("wave", "mel", "samples", "looks") if not getattr(batch, n).equal(getattr(untouched, n))]
    if changed:
        return False, f"extract changed batch.{', batch.'.join(changed)}"
    return all(first[name].equal(second[name]) for name in first), ""


def cost(control: Control, scale: MelScale, looks: int) -> Outcome:
    """its complexity is that of its heads"""
    c = control.complexity()
    return c.codes >= 1 and c.bits >= 0 and c.reals >= 0, f"{c.codes} codes ({c.bits:.2f} bits) and {c.reals} reals per slot"


RULES: tuple[Callable[[Control, MelScale, int], Outcome], ...] = (
    frozen, keys, source, slots, ranges, hints, own_hints, telling, decoding, beyond, any_prediction, one_by_one, silence, short,
    pure, cost,
)  # fmt: skip
