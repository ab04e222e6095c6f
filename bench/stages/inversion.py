"""Train the inversion adapter on the clips' looks, the backbone frozen and no control beside it (paper, 4.4 and Eq. 9)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.backbones import AnyBackbone
from bench.clipset import Clips
from bench.context import Context
from bench.errors import Failed
from bench.inverted import mean_looks
from bench.prompts import Prompt, prompt_of
from bench.ragged import Ragged
from bench.store import write_json
from melqcd.settings import Adapter

if TYPE_CHECKING:
    from torch import Tensor

    from melqcd.training import Draw

HELD = 128  # windows of val that the validation loss is measured on
AT_ONCE = 16  # of them in one pass


def train_inversion(
    out: Path,
    part: Path,
    ctx: Context,
    how: Adapter,
    prompt: Prompt,
    backbone: AnyBackbone,
    latents: Path,
    clips: Path,
    looks: Path,
) -> None:
    """Write the adapter under its released names, and training.json: the validation loss with each clip's own pseudo-words, with those
    of another clip and with the prompt alone. Where the first two are equal the words say nothing about the video.

    Clips without a picture are left out and counted. Raises Failed where none is left, or a prompt is too long.
    """
    torch = ctx.torch()
    from melqcd.controlnet import noise_loss
    from melqcd.inversion import places, save, written
    from melqcd.training import number, train

    known, model = Clips(clips), backbone.load(ctx.device)
    stored, firsts, seen = Ragged(latents, "latents"), Ragged(latents, "firsts"), Ragged(looks, "looks")

    def windows(split: str) -> list[tuple[str, int]]:
        return [(id, w) for id in known.ids(split) if id in seen and len(seen[id]) for w in range(len(firsts[id]))]

    ours, held = windows("train"), windows("val")[:HELD]
    if not ours:
        raise Failed("no clip of the train split has a picture: textual inversion needs videos in split train")
    clip = {id: row for row, id in enumerate(dict.fromkeys(id for id, _ in [*ours, *held]))}
    embedded = torch.from_numpy(mean_looks(seen, clip))
    labels = {id: prompt_of(known.rows[id].label, prompt, clip=id) for id in clip}
    texts = sorted(set(labels.values()))
    said, at = places(model, texts, how.tokens)
    torch.manual_seed(how.training.seed)
    net = how.build(embedded.shape[-1], model)
    ctx.compiled(model.unet)

    def gathered(some: list[tuple[str, int]], generator) -> dict[str, Tensor]:
        codes = torch.from_numpy(np.stack([stored[id][w] for id, w in some]))
        spoken = [texts.index(labels[id]) for id, _ in some]
        return {
            "latents": codes,
            "noise": torch.randn(codes.shape, generator=generator),
            "times": torch.randint(0, model.schedule.config["num_train_timesteps"], (len(some),), generator=generator),
            "looks": embedded[[clip[id] for id, _ in some]],
            "said": said[spoken],
            "at": at[spoken],
        }

    def batches(draw: Draw) -> dict[str, Tensor]:
        return gathered([ours[row] for row in draw.clips(len(ours)).tolist()], draw.generator)

    def loss(batch: dict[str, Tensor], words: Tensor | None = None) -> Tensor:
        if words is None:
            words = written(model.text, batch["said"], batch["at"], net(batch["looks"]))
        return noise_loss(model, None, batch["latents"], batch["noise"], batch["times"], words, None)

    def held_losses() -> dict[str, float]:
        """On the same clips, noise and times each time."""
        batch = gathered(held, torch.Generator().manual_seed(number(0, "held")))
        batch["plain"] = model.words([labels[id] for id, _ in held]).cpu()
        half = len(held) // 2  # far enough from a clip for its next windows not to be its own
        others = {**batch, "looks": batch["looks"].roll(half, 0)}
        found: dict[str, list[Tensor]] = {"with words": [], "of another clip": [], "without": []}
        with torch.no_grad(), ctx.plainly():
            for i in range(0, len(held), AT_ONCE):
                own, other = ({k: v[i : i + AT_ONCE].to(ctx.device) for k, v in b.items()} for b in (batch, others))
                for name, piece, words in zip(found, (own, other, own), (None, None, own["plain"]), strict=True):
                    found[name].append(loss(piece, words))
        return {name: float(torch.cat(values).mean()) for name, values in found.items()}

    trained = train(net, batches, loss, how.training, part=part, ctx=ctx, label="inversion")
    save(net, out)
    told = {
        "steps": trained.step,
        "loss": trained.history,
        "windows": len(ours),
        "parameters": sum(p.numel() for p in net.parameters()),
    }
    told |= {"no picture": [id for id in known.ids("train", "val") if id not in seen]}
    if held:
        told |= {"validation": {**held_losses(), "windows": len(held)}}
    write_json(out / "training.json", told)
