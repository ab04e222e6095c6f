"""The frozen text-to-audio latent diffusion model, in either of Auffusion's folder formats (spec/checkpoints.md, section 3).

vae/ unet/ scheduler/ tokenizer/ text_encoder/ vocoder/ as diffusers and transformers write them; where condition_config.json lies beside
them, text_encoder_0/ (with its tokenizer) and condition_adapter_0/ instead of tokenizer/ and text_encoder/. `mel.json`, which is ours, holds the
fields of its mel scale; without it the scale is Auffusion's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from melqcd.adapter import LIST, ConditionAdapter, adapted, condition, load_adapter
from melqcd.mel import Auffusion, MelScale
from melqcd.pretrained import named, pretrained

transformers_logging.disable_progress_bar()  # bars that last a moment and say nothing

KINDS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
AT_ONCE = 8  # pictures through the VAE in one pass: 3 GB at 256 x 1024


@dataclass
class Backbone:
    """The model's parts, frozen and in evaluation mode. Pictures are hints: [B, bins, frames] in [0, 1], row 0 the highest band."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text: CLIPTextModel
    tokenizer: Any
    schedule: DDPMScheduler  # betas and what the network predicts
    scale: MelScale
    adapter: ConditionAdapter | None = None  # of the layout with one: changes what words are and what "" is

    def __post_init__(self):
        for part in (self.vae, self.unet, self.text, *filter(None, [self.adapter])):
            part.requires_grad_(False).eval()
        for part in (self.vae, self.unet):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a fifth faster, on CPUs too
        if self.schedule.config["prediction_type"] != "epsilon":
            raise ValueError(f"the backbone must predict the noise (epsilon), not {self.schedule.config['prediction_type']}")
        if self.unet.config["in_channels"] != self.vae.config["latent_channels"]:
            raise ValueError(
                f"unet takes {self.unet.config['in_channels']} channels, but vae makes {self.vae.config['latent_channels']}"
            )
        if self.unet.config["cross_attention_dim"] != self.text.config.hidden_size:
            wanted, found = self.unet.config["cross_attention_dim"], self.text.config.hidden_size
            raise ValueError(f"unet attends to words of width {wanted}, but text_encoder makes {found}")

    @classmethod
    def load(cls, path: Path | str, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Backbone:
        """The model in the folder `path`; nothing is fetched, and no code in it is run.

        Raises FileNotFoundError naming the part that is missing, and ValueError naming the folder whose weights are damaged or do
        not agree with its config.json.
        """
        path = Path(path)
        words = ("tokenizer", "text_encoder") if not (path / LIST).exists() else ()
        for name in ("vae", "unet", "scheduler", *words):
            if not (path / name).is_dir():
                raise FileNotFoundError(f"no {name}/ in {path}: a backbone has vae, unet, scheduler, tokenizer and text_encoder")
        with named(path / "scheduler"):
            schedule: Any = DDPMScheduler.from_pretrained(path / "scheduler", local_files_only=True)
        told = condition(path) if (path / LIST).exists() else {}
        text, spelling = told.get("text_encoder_name", path / "text_encoder"), told.get("text_encoder_name", path / "tokenizer")
        with named(spelling):
            tokenizer = CLIPTokenizer.from_pretrained(spelling, local_files_only=True)
        scale = MelScale(**json.loads((path / "mel.json").read_text())) if (path / "mel.json").exists() else Auffusion()
        return cls(
            vae=pretrained(AutoencoderKL, path / "vae", torch_dtype=dtype).to(device),
            unet=pretrained(UNet2DConditionModel, path / "unet", torch_dtype=dtype).to(device),
            text=pretrained(CLIPTextModel, text, dtype=dtype).to(device),
            tokenizer=tokenizer,
            schedule=schedule,
            scale=scale,
            adapter=load_adapter(**told["adapter"]).to(device, dtype) if told else None,
        )

    def save(self, path: Path | str) -> None:
        """Write the folder that `load` reads, but for the vocoder."""
        path = Path(path)
        self.vae.save_pretrained(path / "vae")
        self.unet.save_pretrained(path / "unet")
        self.text.save_pretrained(path / "text_encoder")
        self.tokenizer.save_pretrained(path / "tokenizer")
        self.schedule.save_pretrained(path / "scheduler")
        (path / "mel.json").write_text(json.dumps(asdict(self.scale), indent=1) + "\n")

    @property
    def device(self) -> torch.device:
        return self.unet.device

    @property
    def dtype(self) -> torch.dtype:
        """The UNet's, which a ControlNet shares."""
        return self.unet.dtype

    def narrow(self, precision: str) -> None:
        """Put the UNet's weights into fp32, bf16 or fp16; VAE and text, which a clip passes once, stay as they are."""
        # not through diffusers, which warns of a cast
        torch.nn.Module.to(self.unet, KINDS[precision])

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of one clip's latent."""
        down = self.shrinks
        return self.vae.config["latent_channels"], self.scale.bins // down, self.scale.frames // down

    @property
    def shrinks(self) -> int:
        """Picture rows and columns per latent one."""
        return 2 ** (len(self.vae.config["block_out_channels"]) - 1)

    def encode(self, image: Tensor) -> Tensor:
        """Latents [B, c, h, w] of pictures, scaled to unit deviation: the posterior's mean."""
        found = self._in_turn(lambda x: self.vae.encode(x).latent_dist.mode(), self.picture(image))  # type: ignore[union-attr]
        return found * self.vae.config["scaling_factor"]

    def features(self, image: Tensor) -> Tensor:
        """[B, 2c, h, w]: the VAE encoder's output before quant_conv, which is how the released ControlNet is shown its hint."""
        return self._in_turn(self.vae.encoder, self.picture(image))

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures of latents [B, c, h, w]: of several equal channels the first."""
        latents = latents.to(self.device, self.vae.dtype) / self.vae.config["scaling_factor"]
        made = self._in_turn(lambda z: self.vae.decode(z).sample, latents)  # type: ignore[union-attr]
        return (made[:, 0].float() / 2 + 0.5).clamp(0, 1)

    def words(self, prompts: Sequence[str]) -> Tensor:
        """[B, 77, d]: last hidden states after the final layer norm, padded as Stable Diffusion does, padding attended to.

        With an adapter otherwise, see `adapted`. A prompt that says the same twice is encoded once; what does not fit into 77 tokens is cut off.
        """
        different = list(dict.fromkeys(prompts))
        length = self.text.config.max_position_embeddings
        if self.adapter is not None:
            return adapted(self.text, self.tokenizer, self.adapter, different, length)[[different.index(p) for p in prompts]]
        ids = self.tokenizer(different, padding="max_length", max_length=length, truncation=True, return_tensors="pt").input_ids
        with torch.no_grad():
            found = torch.cat([self.text(some.to(self.device)).last_hidden_state for some in ids.split(64)])
        return found[[different.index(p) for p in prompts]]

    def picture(self, image: Tensor) -> Tensor:
        """[B, channels, bins, frames] in [-1, 1], as the VAE and diffusers' pixel embedding take it."""
        if image.dim() != 3 or image.shape[-2] % self.shrinks or image.shape[-1] % self.shrinks:
            raise ValueError(f"pictures are [B, bins, frames], both multiples of {self.shrinks}; got {list(image.shape)}")
        image = image.to(self.device, self.vae.dtype) * 2 - 1
        return image[:, None].expand(-1, self.vae.config["in_channels"], -1, -1)

    @staticmethod
    def _in_turn(f, x: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([f(some) for some in x.split(AT_ONCE)])
