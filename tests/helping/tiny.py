"""The whole chain in seconds: a seeded backbone of a few thousand weights, and an encoder that has none."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.encoders import Encoder, Eyes
from melqcd.mel import MelScale

SCALE = MelScale(bins=32, frames=256)


@dataclass(frozen=True)
class Brightness(Encoder):
    """Means of four quarters of the picture: enough to be predicted from."""

    def identity(self):
        return {"weights": "none"}

    def load(self, device):
        def of(frames):
            x = frames.astype(np.float32).mean(-1) / 255
            h, w = x.shape[1] // 2, x.shape[2] // 2
            return np.stack([x[:, :h, :w], x[:, :h, w:], x[:, h:, :w], x[:, h:, w:]], 1).mean((2, 3))

        return Eyes(of, 64)


def backbone(folder: Path) -> str:
    """`folder` with a whole backbone in it, untrained, which knows the lab's prompts."""
    import torch

    from bench.lab.networks.diffusion import Diffusion
    from bench.lab.networks.vae import VAE
    from bench.lab.world import KINDS

    torch.manual_seed(0)
    labels = [kind.prompt for kind in KINDS]
    vae = VAE(widths=(8, 16, 16)).build()
    tokens = folder.with_name(f"{folder.name}-tokens")
    tokens.mkdir()
    Diffusion(widths=(16, 32), words=16).begin(vae, labels, SCALE, tokens).save(folder)
    return str(folder)
