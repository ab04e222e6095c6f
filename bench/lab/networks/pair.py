"""The lab's judge of what belongs together, and when, trained on the pool that only judges see by contrast and synchrony alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.context import Context
from bench.judges.lab_pair import STEP, PairSize, continued, embedding, save_pair, slots_of
from bench.lab.networks import views
from bench.lab.networks.cards import write_card
from bench.lab.networks.hearing import rows_and_worn, sounds, varied
from bench.lab.pools import Pool
from melqcd.training import Draw, Training, train

if TYPE_CHECKING:
    from torch import Tensor

MOST = 12  # slots, either way, by which sounds are moved to be told from those that are not


@dataclass(frozen=True)
class Pair:
    """Sizes and training of the pair."""

    size: int = 48  # pixels, both ways
    bands: int = 64  # of Kaldi's filter bank
    width: int = 96  # of the layers over time
    what: int = 64  # dimensions that tell what is heard or seen, over a clip as a whole
    when: int = 16  # dimensions that tell of each slot what changes
    slots: int = 64  # of 40 ms: a clip of the lab's length
    grain: int = (
        4  # slots whose `when` are averaged: one alone halves the likeness of a sound 40 ms late (0.78 to 0.40; of four 0.67)
    )
    # Of a cosine that tells when. Held clips find their own sound a little better at 0.7 (0.30 bits lacking; 0.36 here, 0.72 at 0.3, AUC
    # alike): half keeps a sound of the wrong thing at the right time as bad as the right thing at the wrong time.
    share: float = 0.5
    cut: int = 48  # slots of a clip that a step of training sees, from anywhere in it
    worn: int = 3  # every so many-th clip is also heard as it comes back from a damaged mel; 0: none
    training: Training = Training(steps=500, batch=32, lr=2e-3, weight_decay=0.05, ema=0.98, seed=31)

    def shape(self) -> PairSize:
        told = asdict(self)
        return PairSize(**{f.name: told[f.name] for f in fields(PairSize)})


def pair(out: Path, part: Path, ctx: Context, recipe: Pair, pool: Path) -> None:
    """Train the pair on the clips of `pool`, no label seen, and write it with a card.

    What: in each batch a video must be most like its own clip's sound, and the sound most like it. When: likewise, among all sounds moved
    by up to MOST slots, its own too; and each slot like its own among the slots of its sound. Two transformers of ImageBind's shape
    over whole clips learnt no synchrony: AUC within a class 0.611 with sixteen moments seen at once, 0.570 with two, 0.527 with batches
    of like-sounding clips, 0.594 with moved sounds among the others.
    """
    torch = ctx.torch()
    from bench.lab.check import auc
    from bench.lab.networks.contrast import Moments

    data, size = Pool(pool), recipe.shape()
    rows, count, samples = rows_and_worn(data, recipe.worn), len(data.train), np.array(data.samples)
    banks = sounds(part, ctx, data, rows, bands=recipe.bands, frames=STEP * recipe.slots, seed=recipe.training.seed)
    heard = torch.from_numpy(np.stack([continued(x, int(samples[row])) for x, row in zip(banks, rows, strict=True)]))
    torch.manual_seed(recipe.training.seed)
    net = size.build()
    taught = Moments(net)
    whole = torch.from_numpy(np.flatnonzero(samples[:count] >= data.wave.shape[1]))  # a short clip's still end is no synchrony

    def batches(draw: Draw) -> dict[str, Tensor]:
        clips = whole[draw.clips(len(whole))]
        first = int(torch.randint(0, recipe.slots - recipe.cut + 1, (), generator=draw.generator))
        seen = views.moved(torch.from_numpy(data.frames[clips.numpy(), first : first + recipe.cut]), draw.generator)
        lit = views.shown(seen, views.light(seen, draw.generator)).transpose(1, 2)
        sound = heard[_some_worn(clips, data, recipe.worn, draw), STEP * first : STEP * (first + recipe.cut)]
        return {"seen": lit, "heard": varied(sound, draw.generator, 0)}

    def loss(batch: dict[str, Tensor]) -> Tensor:
        return taught.loss(net.look(batch["seen"]), net.listen(batch["heard"]), MOST)

    held = np.array(data.test)

    def embedded(share: float) -> tuple[Tensor, Tensor]:
        """[held, dims] of the pictures and of the sounds, each clip as long as it is."""
        found = []
        for row in held:
            length = min(recipe.slots, slots_of(int(samples[row])))
            seen = views.shown(torch.from_numpy(np.array(data.frames[row : row + 1, :length]))).transpose(1, 2)
            sound = heard[row, : STEP * length][None]
            found.append([embedding(x, replace(size, share=share))[0] for x in (net.look(seen), net.listen(sound))])
        seen, sound = (torch.stack(side) for side in zip(*found, strict=True))
        return seen, sound

    trained = train(
        taught, batches, loss, recipe.training, part=part, ctx=ctx, label="pair", coupled=True, micro=0, save_s=30,
        validate=lambda: surprise(*embedded(recipe.share)), validate_every=max(1, recipe.training.steps // 5),
    )  # fmt: skip
    labels, quality = [data.labels[i] for i in data.label[held]], {}
    with torch.inference_mode():
        for name, share in (("", recipe.share), (" by what alone", 0.0), (" by when alone", 1.0)):
            seen, sound = embedded(share)
            across, within = auc(sound.numpy(), seen.numpy(), labels)
            quality |= {f"AUC across classes{name}": across, f"AUC within a class{name}": within}
            quality |= {f"bits lacking to find one's own sound among {len(held)}{name}": surprise(seen, sound)}
    save_pair(net, size, out)
    write_card(out, "which sound belongs to which picture, and when (ImageBind-style)", net, recipe, pool, trained, quality)


def surprise(seen: Tensor, heard: Tensor) -> float:
    """Bits by which a clip's own sound surprises its picture and its picture the sound, among all clips, at the best sharpness."""
    import torch
    from torch.nn.functional import cross_entropy

    like, own = seen @ heard.T, torch.arange(len(seen))
    each = [(cross_entropy(k * like, own) + cross_entropy(k * like.T, own)) / 2 for k in 2.0 ** torch.arange(0, 8, 0.5)]
    return float(torch.stack(each).min()) / float(np.log(2))


def _some_worn(clips: Tensor, data: Pool, every: int, draw: Draw) -> Tensor:
    """The row of `heard` for each of `clips`: half of those that were worn are heard so."""
    import torch

    if not every:
        return clips
    again = len(data.label) + torch.div(clips, every, rounding_mode="floor")
    return torch.where((clips % every == 0) & (torch.rand(clips.shape, generator=draw.generator) < 0.5), again, clips)
