"""The training pictures as the backbone's latents: encoded once, shared by every ControlNet."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.backbones import AnyBackbone
from bench.clipset import Clips
from bench.context import Context
from bench.ragged import RaggedWriter
from bench.store import write_json
from bench.windows import starts

STEP = 4  # windows begin on a slot


def latents(out: Path, part: Path, ctx: Context, backbone: AnyBackbone, clips: Path) -> None:
    """Write ragged `latents` float32 [windows, c, h, w] and `firsts` int64 [windows] of the train and val clips.

    Windows have the backbone's length and overlap by half; each is peak-normalised as the whole clip is, and black beyond its end.
    """
    torch = ctx.torch()
    from melqcd.mel import log_mel, to_image

    known, model = Clips(clips), backbone.load(ctx.device)
    scale = model.scale
    ids = known.ids("train", "val")
    with (
        RaggedWriter(out, "latents", dtype="float32", tail=model.latent_shape) as codes,
        RaggedWriter(out, "firsts", dtype="int64") as places,
        torch.inference_mode(),
    ):
        for group in ctx.track([ids[i : i + 16] for i in range(0, len(ids), 16)], "latents"):
            wave, lengths = known.batch(group)
            mel = log_mel(wave.to(ctx.device), scale, samples=lengths.to(ctx.device))
            pictures, owners = [], []
            for row, id in enumerate(group):
                for first in starts(int(lengths[row]) // scale.hop, scale.frames, overlap=scale.frames // 2, step=STEP):
                    pictures.append(window(mel[row], first, scale.frames, scale.log_floor))
                    owners.append((id, first))
            found = model.encode(to_image(torch.stack(pictures), scale)).cpu().numpy()
            for id in group:
                mine = [i for i, (owner, _) in enumerate(owners) if owner == id]
                codes.add(id, found[mine])
                places.add(id, np.array([owners[i][1] for i in mine]))
            ctx.check()
    write_json(out / "facts.json", {"clips": len(ids)})


def window(mel, first: int, frames: int, floor: float):
    """[bins, frames] of a log mel [bins, any] from `first` on, the log floor beyond its end."""
    from torch.nn.functional import pad

    part = mel[:, first : first + frames]
    return pad(part, (0, frames - part.shape[-1]), value=floor)
