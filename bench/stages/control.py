"""Train a control's ControlNet on true hints, the backbone frozen (paper, Eq. 9)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.backbones import AnyBackbone
from bench.clipset import Clips
from bench.context import Context
from bench.errors import Failed
from bench.hints import Hints
from bench.prompts import Prompt, prompt_of
from bench.ragged import Ragged
from bench.store import write_json
from controls.base import Control
from melqcd.settings import ControlNet

if TYPE_CHECKING:
    from torch import Tensor

    from melqcd.backbone import Backbone
    from melqcd.training import Draw

SHOWN_AT_ONCE = 32  # hints drawn and encoded in one go before training
HELD = 128  # windows of val that the validation loss is measured on


def train_controlnet(
    out: Path, part: Path, ctx: Context, how: ControlNet, prompt: Prompt, backbone: AnyBackbone, control: Control, latents: Path,
    clips: Path, truth: Path,
) -> None:  # fmt: skip
    """Write the ControlNet in diffusers' format, and training.json: the validation loss with the hint and without it.

    Where the two are equal the hint has no effect. Every window's hint is drawn and encoded once, before the first step.
    """
    torch = ctx.torch()
    from melqcd.controlnet import noise_loss
    from melqcd.training import number, train

    known, model = Clips(clips), backbone.load(ctx.device)
    stored, places = Ragged(latents, "latents"), Ragged(latents, "firsts")
    hints = Hints(control, truth, model.scale)

    def windows(split: str) -> list[tuple[str, int]]:
        return [(id, w) for id in known.ids(split) if id in hints for w in range(len(places[id]))]

    ours, held = windows("train"), windows("val")[:HELD]
    if not ours:
        raise Failed("the train split has no clip that can be shown a hint: a ControlNet needs some")
    shown = {
        s: _shown(how, model, hints, places, some, ctx, part / f"shown-{s}.npy") for s, some in (("train", ours), ("val", held))
    }
    labels = {id: prompt_of(known.rows[id].label, prompt, clip=id) for id, _ in {*ours, *held}}
    texts = sorted({*labels.values(), ""})
    words = model.words(texts).cpu()
    torch.manual_seed(how.training.seed)
    net = how.build(model)
    ctx.compiled(model.unet, net)

    def gathered(split: str, some: list[tuple[str, int]], rows: list[int], said: list[int], generator) -> dict[str, Tensor]:
        codes = torch.from_numpy(np.stack([stored[id][w] for id, w in some]))
        return {
            "latents": codes,
            "noise": torch.randn(codes.shape, generator=generator),
            "times": torch.randint(0, model.schedule.config["num_train_timesteps"], (len(some),), generator=generator),
            "words": words[said],
            "shown": torch.from_numpy(np.array(shown[split][rows], np.float32)),
        }

    def batches(draw: Draw) -> dict[str, Tensor]:
        rows = draw.clips(len(ours)).tolist()
        dropped = (torch.rand(len(rows), generator=draw.generator) < how.dropout).tolist()
        said = [texts.index("" if gone else labels[ours[row][0]]) for row, gone in zip(rows, dropped, strict=True)]
        return gathered("train", [ours[row] for row in rows], rows, said, draw.generator)

    def loss(batch: dict[str, Tensor], *, control: bool = True) -> Tensor:
        some = net if control else None
        return noise_loss(model, some, batch["latents"], batch["noise"], batch["times"], batch["words"], batch["shown"])

    def held_loss(*, control: bool = True) -> float:
        """On the same clips, noise and times each time."""
        generator = torch.Generator().manual_seed(number(0, "held"))
        rows = list(range(len(held)))
        batch = gathered("val", held, rows, [texts.index(labels[id]) for id, _ in held], generator)
        with torch.no_grad(), ctx.plainly():
            pieces = [{k: v[i : i + 16].to(ctx.device) for k, v in batch.items()} for i in range(0, len(held), 16)]
            return float(torch.cat([loss(piece, control=control) for piece in pieces]).mean())

    trained = train(net, batches, loss, how.training, part=part, ctx=ctx, label="controlnet")
    net.save_pretrained(out)
    told = {"steps": trained.step, "loss": trained.history, "windows": len(ours)}
    if held:
        told |= {"validation": {"with hint": held_loss(), "without": held_loss(control=False), "windows": len(held)}}
    write_json(out / "training.json", told)


def _shown(
    how: ControlNet, model: Backbone, hints: Hints, places: Ragged, some: list[tuple[str, int]], ctx: Context, path: Path
) -> np.ndarray:
    """[windows, channels, h, w] float16: what the ControlNet is given of each window's hint; kept in `part`, for it takes a while."""
    import torch

    from bench.store import replace_file

    if not path.exists():
        found = []
        with torch.inference_mode():
            for i in ctx.track(range(0, len(some), SHOWN_AT_ONCE), "hints"):
                group = some[i : i + SHOWN_AT_ONCE]
                pictures = hints.draw([id for id, _ in group], [int(places[id][w]) for id, w in group], frames=model.scale.frames)
                found.append(how.show(pictures.to(ctx.device), model).half().cpu().numpy())
                ctx.check()
        array = np.concatenate(found) if found else np.zeros((0, 1), np.float16)

        def write(draft: Path) -> None:
            with open(draft, "wb") as file:
                np.save(file, array)

        replace_file(path, write)
    return np.load(path, mmap_mode="r")
