"""The lab's text-to-audio model: a CLIP text encoder and a UNet learnt together on the latents of the lab's VAE."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.context import Context
from bench.lab.networks.cards import write_card
from bench.lab.pools import Pool
from bench.prompts import GENERIC
from bench.store import replace_file
from melqcd.mel import MelScale
from melqcd.settings import Training

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from torch import Tensor
    from transformers import CLIPTextModel

    from melqcd.backbone import Backbone

# what a clip is called in training, and how often; "" is what guidance leads away from
CALLED = (("", 0.1), (GENERIC, 0.1), ("{}", 0.6), ("the sound of {}", 0.1), ("a sound of {}", 0.1))

TRAINING = Training(steps=4000, batch=16, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0, ema=0.995, seed=1)


@dataclass(frozen=True)
class Diffusion:
    """Sizes and training of the text encoder and the UNet."""

    widths: tuple[int, ...] = (64, 96, 128)  # channels per level; the first level reads no words
    words: int = 64  # width of a word
    layers: int = 2  # of the text encoder
    training: Training = TRAINING

    def __post_init__(self):
        object.__setattr__(self, "widths", tuple(self.widths))

    def build_text(self, tokens: int) -> CLIPTextModel:
        """tokens: the vocabulary's size; its last two are the marks of start and end."""
        from transformers import CLIPTextConfig, CLIPTextModel

        config = CLIPTextConfig(
            vocab_size=tokens,
            hidden_size=self.words,
            projection_dim=self.words,
            intermediate_size=4 * self.words,
            num_hidden_layers=self.layers,
            num_attention_heads=4,
            bos_token_id=tokens - 2,
            eos_token_id=tokens - 1,
            pad_token_id=tokens - 1,
        )
        return CLIPTextModel(config)

    def build_unet(self, channels: int, rows: int) -> UNet2DConditionModel:
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

        attending = len(self.widths) - 1
        return UNet2DConditionModel(
            sample_size=rows,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=1,
            block_out_channels=self.widths,
            down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * attending,
            up_block_types=("CrossAttnUpBlock2D",) * attending + ("UpBlock2D",),
            cross_attention_dim=self.words,
            attention_head_dim=8,  # in Stable Diffusion's configs this is the number of heads
            norm_num_groups=16,
        )

    def begin(self, vae: AutoencoderKL, labels: Sequence[str], scale: MelScale, tokenizer: Path) -> Backbone:
        """An untrained backbone around `vae`, seeded; its tokenizer's files are written to the folder `tokenizer`."""
        import torch
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
        from transformers import CLIPTokenizer

        from bench.lab.networks.tokens import write_tokenizer
        from melqcd.backbone import Backbone

        tokens = write_tokenizer(tokenizer, _lexicon(labels))
        with torch.random.fork_rng([]):
            torch.manual_seed(self.training.seed)
            text = self.build_text(tokens)
            unet = self.build_unet(vae.config["latent_channels"], scale.bins // 2 ** (len(vae.config["block_out_channels"]) - 1))
        return Backbone(
            vae,
            unet,
            text,
            CLIPTokenizer.from_pretrained(tokenizer, local_files_only=True),
            # Stable Diffusion's
            DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1),
            scale,
        )


def diffusion(out: Path, part: Path, ctx: Context, recipe: Diffusion, scale: MelScale, vae: Path, pool: Path) -> None:
    """Train text encoder and UNet on `pool` and write a whole backbone, the VAE included, in Auffusion's folder format."""
    torch = ctx.torch()
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    from melqcd.pretrained import pretrained
    from melqcd.training import Draw, train

    data = Pool(pool)
    backbone = recipe.begin(pretrained(AutoencoderKL, vae), data.labels, scale, part / "tokenizer")
    text, unet, schedule, tokenizer = backbone.text, backbone.unet, backbone.schedule, backbone.tokenizer
    latents = torch.from_numpy(_latents(part / "latents.npy", data, backbone, ctx))
    both = torch.nn.ModuleDict({"text": text, "unet": unet}).requires_grad_(True)
    ids = tokenizer(_prompts(data.labels), padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    label = torch.from_numpy(np.array(data.label)).long()
    share = torch.tensor([often for _, often in CALLED])

    def batches(draw: Draw) -> dict[str, Tensor]:
        at, g = draw.clips(len(data.train)), draw.generator
        called = torch.multinomial(share, draw.size, replacement=True, generator=g)
        return {
            "latents": latents[at],
            "prompt": called * len(data.labels) + label[at],
            "noise": torch.randn(draw.size, *latents.shape[1:], generator=g),
            "times": torch.randint(0, 1000, (draw.size,), generator=g),
        }

    def loss(batch: dict[str, Tensor]) -> Tensor:
        words = text(ids[batch["prompt"].cpu()].to(text.device)).last_hidden_state
        noisy = schedule.add_noise(batch["latents"], batch["noise"], batch["times"])  # type: ignore[arg-type]
        found = unet(noisy, batch["times"], words).sample
        return (found.float() - batch["noise"]).square().mean((1, 2, 3))

    test = slice(data.test.start, data.test.start + 120)
    g = torch.Generator().manual_seed(3)
    held = {
        "latents": latents[test],
        "prompt": 2 * len(data.labels) + label[test],
        "noise": torch.randn(latents[test].shape, generator=g),
        "times": torch.randint(0, 1000, (len(latents[test]),), generator=g),
    }

    def validate() -> float:
        return float(loss(held).mean())

    trained = train(
        both, batches, loss, recipe.training, part=part, ctx=ctx, label="text-to-audio", save_s=30,
        validate=validate, validate_every=300,
    )  # fmt: skip
    backbone.save(out)
    shutil.copytree(
        part / "tokenizer", out / "tokenizer", dirs_exist_ok=True
    )  # vocab.json and merges.txt, as the public folders have
    if (vae / "card.json").exists():
        shutil.copyfile(vae / "card.json", out / "vae" / "card.json")
    quality = {"loss on held clips, by label": trained.validated[-1][1]}
    write_card(out, "text to latents of sound (CLIPTextModel and UNet2DConditionModel)", both, recipe, pool, trained, quality)


def _prompts(labels: Sequence[str]) -> list[str]:
    """All prompts of training: one row of labels per way of calling."""
    return [way.format(label) for way, _ in CALLED for label in labels]


def _lexicon(labels: Sequence[str]) -> list[str]:
    return sorted({word for prompt in _prompts(labels) for word in prompt.split()})


def _latents(path: Path, data: Pool, backbone: Backbone, ctx: Context) -> np.ndarray:
    """float32 [clips, c, h, w]: scaled latents of every picture of the pool, kept beside the checkpoint."""
    import torch

    if path.exists():
        return np.load(path)
    found = []
    for first in ctx.track(range(0, len(data.image), 50), "latents"):
        found.append(backbone.encode(torch.from_numpy(np.asarray(data.image[first : first + 50], np.float32))).numpy())
        ctx.check()
    latents = np.concatenate(found)

    def write(draft: Path) -> None:
        with open(draft, "wb") as file:
            np.save(file, latents)

    replace_file(path, write)
    return latents
