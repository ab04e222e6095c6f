"""The lab's picture compressor: a small AutoencoderKL between mel pictures and latents of an eighth of their size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.context import Context
from bench.lab.networks.cards import write_card
from bench.lab.pools import Pool
from melqcd.settings import Training

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from torch import Tensor

TRAINING = Training(steps=1200, batch=16, lr=2e-3, betas=(0.9, 0.99), weight_decay=0.0, ema=0.99, precision="bf16")

SHARP = 20.0  # weight of the squared error: about the size of the magnitude's


@dataclass(frozen=True)
class VAE:
    """Sizes and training of the compressor."""

    widths: tuple[int, ...] = (16, 32, 64, 128)  # channels per level; each level but the last halves the picture
    latents: int = 8  # channels of a latent: with fewer, transients blur
    kl: float = 1e-6  # weight of the divergence from a unit Gaussian, summed over latents; 1e-5 left 2 of 8 channels alive
    columns: int = 128  # of a training crop: half a clip, twice as many different clips for the same time
    training: Training = TRAINING

    def __post_init__(self):
        object.__setattr__(self, "widths", tuple(self.widths))

    def build(self) -> AutoencoderKL:
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        depth = len(self.widths)
        return AutoencoderKL(
            in_channels=1,
            out_channels=1,
            down_block_types=("DownEncoderBlock2D",) * depth,  # type: ignore[arg-type]
            up_block_types=("UpDecoderBlock2D",) * depth,  # type: ignore[arg-type]
            block_out_channels=self.widths,  # type: ignore[arg-type]
            layers_per_block=1,
            latent_channels=self.latents,
            norm_num_groups=8,
            mid_block_add_attention=False,
            sample_size=64,
        )


def vae(out: Path, part: Path, ctx: Context, recipe: VAE, pool: Path) -> None:
    """Train the compressor on the pictures of `pool` and write it in diffusers' format, with a card."""
    torch = ctx.torch()
    from melqcd.training import Draw, train

    data = Pool(pool)
    torch.manual_seed(recipe.training.seed)
    model = recipe.build()
    images, rows = data.image, len(data.train)

    def batches(draw: Draw) -> dict[str, Tensor]:
        first = torch.randint(0, images.shape[-1] - recipe.columns + 1, (draw.size,), generator=draw.generator)
        crops = [images[i, :, a : a + recipe.columns] for i, a in zip(draw.clips(rows).tolist(), first.tolist(), strict=True)]
        picture = torch.from_numpy(np.stack(crops).astype(np.float32))[:, None] * 2 - 1
        down = 2 ** (len(recipe.widths) - 1)
        size = (draw.size, recipe.latents, picture.shape[-2] // down, picture.shape[-1] // down)
        return {"picture": picture, "noise": torch.randn(size, generator=draw.generator)}

    def loss(batch: dict[str, Tensor]) -> Tensor:
        found = model.encode(batch["picture"]).latent_dist  # type: ignore[union-attr]
        made = model.decode(found.mean + found.std * batch["noise"]).sample  # type: ignore[union-attr]
        # squares, not magnitudes: the best magnitude of a faint line in noise is the noise, and harmonics vanish
        return SHARP * (made.float() - batch["picture"]).square().mean((1, 2, 3)) + recipe.kl * found.kl()

    held = torch.from_numpy(np.asarray(images[data.test.start : data.test.stop], np.float32))[:, None] * 2 - 1

    def validate() -> float:
        made = torch.cat([model.decode(model.encode(p).latent_dist.mean).sample for p in held[:60].split(20)])  # type: ignore[union-attr]
        return float((made - held[:60]).square().mean())

    trained = train(
        model, batches, loss, recipe.training, part=part, ctx=ctx, label="vae", save_s=30, validate=validate, validate_every=100
    )
    with torch.inference_mode():
        known = torch.from_numpy(np.asarray(images[: rows : max(1, rows // 300)][:300], np.float32))[:, None] * 2 - 1
        standardise(model, known)
        latents = torch.cat([model.encode(p).latent_dist.mean for p in known.split(20)])  # type: ignore[union-attr]
    model.register_to_config(scaling_factor=round(1 / float(latents.std()), 6))
    model.save_pretrained(out)
    write_card(
        out,
        "mel pictures to latents and back (AutoencoderKL)",
        model,
        recipe,
        pool,
        trained,
        {"root mean square error on held pictures in [0, 1]": trained.validated[-1][1] ** 0.5 / 2},
    )


def standardise(model: AutoencoderKL, pictures: Tensor) -> None:
    """Rescale the encoder's last convolution so that its channels have mean 0 and deviation 1 on `pictures`, and undo it in quant_conv.

    The compressor computes what it did before; but the hint that a ControlNet sees is the output in between, and a ControlNet
    learns in fewer steps from standardised numbers.
    """
    import torch

    with torch.no_grad():
        found = torch.cat([model.encoder(p) for p in pictures.split(20)])
        mean, deviation = found.mean((0, 2, 3)), found.std((0, 2, 3)).clamp_min(1e-6)
        last, after = model.encoder.conv_out, model.quant_conv
        if after is None or after.bias is None or last.bias is None:
            raise ValueError("only a compressor with quant_conv and biases can be standardised")
        last.weight.div_(deviation[:, None, None, None])
        last.bias.sub_(mean).div_(deviation)
        weight = after.weight  # 1x1
        after.bias.add_((weight[:, :, 0, 0] * mean).sum(1))
        weight.mul_(deviation[None, :, None, None])
