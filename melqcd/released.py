"""The released Mel-QCD: the parts of MelQCD.ckpt as diffusers' and transformers' modules (specification of checkpoints, 2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from melqcd.backbone import Backbone
from melqcd.checkpoints import load_weights, read_weights
from melqcd.controlnet import HintStack
from melqcd.ldm_names import CONTROL, UNET, VAE, unet_name, vae_name
from melqcd.mel import Auffusion
from melqcd.published import SD_CONTROLNET, SD_TEXT, SD_UNET, SD_VAE

M = TypeVar("M", bound=nn.Module)
INSIDE = ("state_dict",)
TEXTS = {"plain": "cond_stage_model.transformer.", "inversion": "inversion_adapter.transformer."}
ADAPTER = "inversion_adapter.inversion_adapter."
SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
WIDTHS = (16, 32, 64, 128, 256)  # of the released hint stack


def load_part(path: Path | str, prefix: str, module: M, rename: Callable[[str], str], *, allow_pickle: bool = False) -> M:
    """Fill `module` from the entries of `path` below `prefix`, each found under `rename` of its own name; in eval mode.

    A 1 x 1 convolution fills a linear layer. Raises ValueError as `load_weights` does, by the names in the file.
    """
    state = read_weights(path, inside=INSIDE, prefix=prefix, allow_pickle=allow_pickle)
    found, left = {}, dict(state)
    for name, own in module.state_dict().items():
        theirs = rename(name)
        if theirs in left:
            tensor = left.pop(theirs)
            found[name] = tensor.reshape(own.shape) if tensor.numel() == own.numel() and tensor.dim() == own.dim() + 2 else tensor
    load_weights(module, found | left, f"{path} ({prefix}...)", ignore=("position_ids",))
    return module.eval()


def load_unet(path: Path | str, **how: Any) -> UNet2DConditionModel:
    return load_part(path, UNET, _bare(lambda: UNet2DConditionModel(**SD_UNET)), unet_name, **how)


def load_vae(path: Path | str, **how: Any) -> AutoencoderKL:
    return load_part(path, VAE, _bare(lambda: AutoencoderKL(**SD_VAE)), vae_name, **how)


def load_text(path: Path | str, which: Literal["plain", "inversion"] = "plain", **how: Any) -> CLIPTextModel:
    """CLIP's text half: the plain one, or the copy that pseudo-words go through."""
    from transformers.initialization import no_init_weights

    with no_init_weights():
        model = CLIPTextModel(CLIPTextConfig(**SD_TEXT))
    return load_part(path, TEXTS[which], model, _text_name, **how)


def load_controlnet(path: Path | str, **how: Any) -> ControlNetModel:
    """The ControlNet, whose hint is eight channels of VAE features: its six convolutions take the place of diffusers' embedding."""
    return load_part(path, CONTROL, _bare(released_controlnet), unet_name, **how)


def released_controlnet() -> ControlNetModel:
    """A network of the released shape, with weights of chance."""
    net = ControlNetModel(**SD_CONTROLNET)
    net.controlnet_cond_embedding = HintStack(8, WIDTHS, 320)  # type: ignore[assignment]
    return net


def adapter_weights(path: Path | str, **how: Any) -> dict[str, Tensor]:
    """The inversion adapter's weights, by the names below its prefix."""
    return read_weights(path, inside=INSIDE, prefix=ADAPTER, **how)


def schedule() -> DDPMScheduler:
    """Stable Diffusion's noise, which the file's thirteen buffers repeat."""
    return DDPMScheduler(**SCHEDULE)  # type: ignore[arg-type]


def load_released(
    path: Path | str,
    tokenizer: Path | str,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    allow_pickle: bool = False,
) -> Backbone:
    """The frozen model of MelQCD.ckpt. tokenizer: a folder with CLIP's vocab.json and merges.txt, which the file does not hold."""
    from transformers import CLIPTokenizer

    how = {"allow_pickle": allow_pickle}
    return Backbone(
        vae=load_vae(path, **how).to(device=device, dtype=dtype),  # type: ignore[call-arg]
        unet=load_unet(path, **how).to(device=device, dtype=dtype),  # type: ignore[call-arg]
        text=load_text(path, **how).to(device, dtype),  # type: ignore[arg-type]
        tokenizer=CLIPTokenizer.from_pretrained(tokenizer, local_files_only=True),
        schedule=schedule(),
        scale=Auffusion(),
    )


def _bare(build: Callable[[], M]) -> M:
    """A module with memory for its weights but nothing in it."""
    with torch.device("meta"):
        module = build()
    return module.to_empty(device="cpu")


def _text_name(ours: str) -> str:
    return ours if ours.startswith("text_model.") else f"text_model.{ours}"
