"""The lab's encoders of video: motion (Synchformer's) and looks (CLIP's), taught by nothing but which sound belongs to which picture when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.context import Context
from bench.judges.lab_pair import gazes
from bench.lab.networks import views
from bench.lab.networks.cards import write_card
from bench.lab.pools import Pool
from melqcd.sizes import MotionSize
from melqcd.training import Draw, Training, train

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from transformers import CLIPVisionModelWithProjection

SHIFTS = 12  # slots of 40 ms, either way, among which a clip's own synchrony must stand out
HELD = 60  # clips of the pool's test split that the measures are taken of
EDGES = 12  # frames at most by which a clip is cut at either end: features must bear a still picture there


OTHERS = "share of other clips' sounds less like a clip than its own"


@dataclass(frozen=True)
class Motion:
    """Sizes and training of the motion encoder."""

    size: int = 48  # pixels, both ways
    patch: int = 16  # pixels
    window: int = 8  # frames that one feature sees: 0.32 s
    width: int = 96  # of the features
    blocks: int = 2
    heads: int = 4
    dims: int = 64  # of the space in which sound and picture are compared
    pictures: int = 8  # windows per clip and step
    training: Training = Training(
        steps=1000, batch=20, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, ema=0.98, precision="bf16", seed=21
    )

    def __post_init__(self):
        self.shape()

    def shape(self) -> MotionSize:
        return MotionSize(self.size, self.patch, self.window, self.width, self.blocks, self.heads)


@dataclass(frozen=True)
class Looks:
    """Sizes and training of the encoder of looks."""

    size: int = 48  # pixels, both ways
    patch: int = 8  # pixels
    width: int = 96
    layers: int = 3
    heads: int = 4
    dims: int = 64  # of the embedding
    training: Training = Training(steps=600, batch=96, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, ema=0.98, seed=22)

    def __post_init__(self):
        if self.size % self.patch or self.width % self.heads:
            raise ValueError(f"patch must divide size, and heads width, got {self}")

    def build(self) -> CLIPVisionModelWithProjection:
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        return CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=self.width,
                intermediate_size=4 * self.width,
                projection_dim=self.dims,
                num_hidden_layers=self.layers,
                num_attention_heads=self.heads,
                image_size=self.size,
                patch_size=self.patch,
            )
        )


def motion(out: Path, part: Path, ctx: Context, recipe: Motion, pool: Path) -> None:
    """Train the motion encoder on the clips of `pool` and write it, with a card.

    Each window must be more like the sound of its own slot than like that of other slots of its clip and of other clips; a clip's
    windows together more like its sound than like the same sound earlier or later, and than like other clips' sounds.
    """
    torch = ctx.torch()
    from bench.lab.networks.contrast import Slots, among_clips, among_shifts, among_slots, shifted
    from bench.lab.networks.prime import prime
    from melqcd.synchformer import Synchformer, save_synchformer

    data = Pool(pool)
    torch.manual_seed(recipe.training.seed)
    eye = Synchformer(recipe.shape())
    some = views.shown(torch.from_numpy(np.array(data.frames[: len(data.train) : 30, 8:24]))) * 2 - 1
    prime(eye.patch_embed_3d.proj, some, [eye.pos_embed, eye.temp_embed, eye.cls_token])
    taught = Slots(eye, recipe.width, data.image.shape[1], recipe.dims)
    whole = _whole(data, data.train)

    def batches(draw: Draw) -> dict[str, Tensor]:
        rows = whole[draw.clips(len(whole)).numpy()]
        seen = views.moved(torch.from_numpy(data.frames[rows]), draw.generator)
        at, ends = _moments(len(rows), seen.shape[1], recipe.pictures, draw)
        pictures = views.shown(views.windows(seen, at, recipe.window, ends), views.light(seen, draw.generator)) * 2 - 1
        return {"pictures": pictures, "at": at, "sound": torch.from_numpy(data.image[rows]).float()}

    def loss(batch: dict[str, Tensor]) -> Tensor:
        (seen, scene), (heard, sound), at = taught.seen(batch["pictures"]), taught.heard(batch["sound"]), batch["at"]
        own = seen @ heard.mT
        apart = among_shifts(taught.sharp("shift") * own, at, SHIFTS) + among_slots(taught.sharp("slot") * own, at)
        return apart + among_clips(scene, sound, taught.sharp("what"))

    held = _whole(data, data.test)[:HELD]

    def measured() -> dict[str, float]:
        found = []
        for row in held:
            seen = torch.from_numpy(np.array(data.frames[row : row + 1]))
            at = torch.arange(seen.shape[1])[None]
            found.append(taught.seen(views.shown(views.windows(seen, at, recipe.window)) * 2 - 1))
        when, what = (torch.cat(parts) for parts in zip(*found, strict=True))
        heard, sound = taught.heard(torch.from_numpy(data.image[held]).float())
        best = shifted(when @ heard.mT, torch.arange(when.shape[1]).expand(len(when), -1), SHIFTS).argmax(-1) - SHIFTS
        return {
            "share of clips whose synchrony is found within a slot": float((best.abs() <= 1).float().mean()),
            OTHERS: _above(what @ sound.T),
        }

    trained = train(
        taught, batches, loss, recipe.training, part=part, ctx=ctx, label="motion", coupled=True, micro=0,
        save_s=30, validate=lambda: 2 - sum(measured().values()), validate_every=max(1, recipe.training.steps // 4),
    )  # fmt: skip
    with torch.inference_mode():
        quality = measured()
    save_synchformer(eye.half(), out)
    write_card(out, "motion at 25 Hz (Synchformer's visual encoder)", eye, recipe, pool, trained, quality)


def looks(out: Path, part: Path, ctx: Context, recipe: Looks, pool: Path) -> None:
    """Train the encoder of looks on single frames of `pool`, each to be most like its own clip's sound, and write it with a card."""
    torch = ctx.torch()
    from bench.lab.networks.contrast import Frames, among_clips
    from bench.lab.networks.prime import prime

    data = Pool(pool)
    torch.manual_seed(recipe.training.seed)
    eye = recipe.build()
    first = eye.vision_model.embeddings
    some = gazes(views.shown(torch.from_numpy(np.array(data.frames[: len(data.train) : 10, :1]))))[:, :, 0]
    prime(first.patch_embedding, some, [first.position_embedding.weight])
    taught = Frames(eye, data.image.shape[1], recipe.dims)
    length = data.frames.shape[1]

    def batches(draw: Draw) -> dict[str, Tensor]:
        rows = draw.clips(len(data.train)).numpy()
        at = torch.randint(0, length, (len(rows), 1), generator=draw.generator).numpy()
        seen = views.varied(torch.from_numpy(data.frames[rows[:, None], at]), draw.generator)
        return {"seen": gazes(seen)[:, :, 0], "sound": torch.from_numpy(data.image[rows]).float()}

    def loss(batch: dict[str, Tensor]) -> Tensor:
        return among_clips(taught.seen(batch["seen"]), taught.heard(batch["sound"]), taught.sharpness.exp().clamp(max=100))

    def measured() -> dict[str, float]:
        held = np.array(data.test)
        seen = gazes(views.shown(torch.from_numpy(data.frames[held, length // 2 : length // 2 + 1])))[:, :, 0]
        like = taught.seen(seen) @ taught.heard(torch.from_numpy(data.image[held]).float()).T
        return {OTHERS: _above(like)}

    trained = train(
        taught, batches, loss, recipe.training, part=part, ctx=ctx, label="looks", coupled=True, micro=0, save_s=30,
        validate=lambda: 1 - measured()[OTHERS], validate_every=max(1, recipe.training.steps // 6),
    )  # fmt: skip
    with torch.inference_mode():
        quality = measured()
    eye.save_pretrained(out)
    write_card(out, "looks of a frame (CLIP's vision tower)", eye, recipe, pool, trained, quality)


def load_motion(folder: Path, device: str) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """(from frames uint8 [T, H, W, 3] at 25 a second to features float32 [T, width], the side it sees), by the encoder in `folder`."""
    from melqcd.synchformer import load_synchformer
    from melqcd.visual import motion_features

    net = load_synchformer(folder).to(device)
    return lambda frames: motion_features(net, frames, batch=64).numpy(), net.size.image


def _above(like: Tensor) -> float:
    """The share of a row's other entries that are below the one on the diagonal."""
    import torch

    return float((like.diagonal()[:, None] > like)[~torch.eye(len(like), dtype=torch.bool)].float().mean())


def _whole(data: Pool, rows: range) -> np.ndarray:
    """The rows whose clips fill the pool's arrays: a short clip's still end would tell where in the clip a slot lies."""
    found = np.array(rows)
    return found[np.array(data.samples[found]) >= data.wave.shape[1]]


def _moments(count: int, frames: int, pictures: int, draw: Draw) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Different frames [B, K] at which windows are taken, and first and last frame [B] of a clip cut at both ends by chance."""
    import torch

    first = torch.randint(0, EDGES + 1, (count,), generator=draw.generator)
    last = frames - 1 - torch.randint(0, EDGES + 1, (count,), generator=draw.generator)
    inside = (torch.arange(frames) >= first[:, None]) & (torch.arange(frames) <= last[:, None])
    at = torch.rand(count, frames, generator=draw.generator).masked_fill(~inside, -1).topk(pictures).indices
    return at, (first, last)
