"""The lab's judge of what belongs together: a small pair of ImageBind's towers, trained on the pool that only judges see."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.context import Context
from bench.judges.lab_pair import PairSize, gazes, save_pair
from bench.lab.networks import views
from bench.lab.networks.cards import write_card
from bench.lab.networks.hearing import rows_and_worn, sounds, varied
from bench.lab.pools import Pool
from melqcd.training import Draw, Training, train

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Pair:
    """Sizes and training of the pair."""

    size: int = 48  # pixels, both ways
    patch: int = 16  # pixels of a patch's side, over two moments
    bands: int = 64  # of Kaldi's filter bank
    frames: int = 256  # 10 ms each
    span: int = 16  # bands and frames of a token of sound
    width: int = 96  # of both towers
    blocks: int = 3
    heads: int = 4
    dims: int = 64  # of the embeddings
    moments: int = 16  # of a video, seen together: all of a clip of the lab's length
    gap: int = 4  # frames from one to the next: 0.16 s
    views: int = 3  # such sequences, spread over the clip, whose embeddings are averaged
    worn: int = 3  # every so many-th clip is also heard as it comes back from a damaged mel; 0: none
    training: Training = Training(steps=1500, batch=96, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.1, ema=0.98, seed=31)

    def shape(self) -> PairSize:
        told = asdict(self)
        return PairSize(**{name: told[name] for name in PairSize.__dataclass_fields__})


def pair(out: Path, part: Path, ctx: Context, recipe: Pair, pool: Path) -> None:
    """Train the pair on the clips of `pool` by contrast alone, no label seen, and write it with a card.

    In each batch a video must be most like its own clip's sound, and the sound most like it. Clips of one class stay nearly alike: what is
    learnt is what is heard and seen, not when. Tried, no better within a class: two frames at once (AUC within a class 0.570), batches
    of like-sounding clips (0.527), the same sound moved in time among the others (0.594, and moved sound is still told at chance).
    """
    torch = ctx.torch()
    from bench.lab.check import auc
    from bench.lab.networks.contrast import among_clips
    from bench.lab.networks.prime import prime

    data, size = Pool(pool), recipe.shape()
    rows, count = rows_and_worn(data, recipe.worn), len(data.train)
    heard = torch.from_numpy(sounds(part, ctx, data, rows, bands=recipe.bands, frames=recipe.frames, seed=recipe.training.seed))
    torch.manual_seed(recipe.training.seed)
    model = size.build()
    stem, place = model.sight()
    latest = data.frames.shape[1] - 1 - int(size.offsets[-1])  # frame that a sequence may begin at
    prime(stem, _gazes(data, np.arange(0, count, 10), 0, size), [place])

    def batches(draw: Draw) -> dict[str, Tensor]:
        clips = draw.clips(count)
        first = torch.randint(0, latest + 1, clips.shape, generator=draw.generator)
        seen = _gazes(data, clips.numpy(), first.numpy(), size, draw.generator)
        return {"seen": seen, "heard": varied(heard[_some_worn(clips, data, recipe.worn, draw)], draw.generator).mT[:, None]}

    def loss(batch: dict[str, Tensor]) -> Tensor:
        return among_clips(model.look(batch["seen"]), model.listen(batch["heard"]), model.sharpness.clamp(max=100))

    held = np.array(data.test)
    spread = np.linspace(0, latest, recipe.views).round().astype(int)

    def measured() -> dict[str, float]:
        seen = torch.stack([model.look(_gazes(data, held, first, size)) for first in spread]).mean(0)
        sound = torch.cat([model.listen(x.mT[:, None]) for x in heard[held].split(50)])
        across, within = auc(sound.numpy(), seen.numpy(), [data.labels[i] for i in data.label[held]])
        return {"AUC across classes": across, "AUC within a class": within}

    trained = train(
        model, batches, loss, recipe.training, part=part, ctx=ctx, label="pair", coupled=True, micro=0, save_s=30,
        validate=lambda: 2 - sum(measured().values()), validate_every=max(1, recipe.training.steps // 6),
    )  # fmt: skip
    with torch.inference_mode():
        quality = measured()
    save_pair(model, size, out)
    write_card(out, "which sound belongs to which picture (ImageBind's towers)", model, recipe, pool, trained, quality)


def _gazes(data: Pool, clips: np.ndarray, first, size: PairSize, chance: torch.Generator | None = None) -> Tensor:
    """[B, 3, moments, h, w]: what the towers are shown of each clip from its frame `first` on, varied by `chance` if given."""
    import torch

    first = np.broadcast_to(first, clips.shape)
    seen = torch.from_numpy(data.frames[clips[:, None], first[:, None] + size.offsets])
    return gazes(views.varied(seen, chance) if chance is not None else views.shown(seen))


def _some_worn(clips: Tensor, data: Pool, every: int, draw: Draw) -> Tensor:
    """The row of `heard` for each of `clips`: half of those that were worn are heard so."""
    import torch

    if not every:
        return clips
    again = len(data.label) + torch.div(clips, every, rounding_mode="floor")
    return torch.where((clips % every == 0) & (torch.rand(clips.shape, generator=draw.generator) < 0.5), again, clips)
