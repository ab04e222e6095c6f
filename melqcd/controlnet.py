"""The ControlNet that shows a control's hint to the frozen backbone, and the loss that it learns from (paper, Eq. 9)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor, nn
from torch.nn.functional import silu

from melqcd.backbone import Backbone
from melqcd.pretrained import pretrained
from melqcd.settings import ControlNet


def build(how: ControlNet, backbone: Backbone) -> ControlNetModel:
    """A ControlNet that begins as a copy of the UNet's encoder and, behind zero convolutions, changes nothing yet."""
    if how.hint == "pixels" and 2 ** (len(how.widths) - 1) != backbone.shrinks:
        wanted = backbone.shrinks.bit_length()
        raise ValueError(f"with hint=pixels each of widths but the first halves the picture: {wanted} fit this backbone")
    channels = hint_channels(backbone) if how.hint == "features" else backbone.vae.config["in_channels"]
    net = ControlNetModel.from_unet(backbone.unet, conditioning_channels=channels, conditioning_embedding_out_channels=how.widths)
    if how.hint == "features":
        stack = HintStack(channels, how.widths, backbone.unet.config["block_out_channels"][0])
        net.controlnet_cond_embedding = stack  # type: ignore[assignment]
    to = {"device": backbone.device} | ({"dtype": backbone.dtype} if net.dtype != backbone.dtype else {})
    net.to(**to, memory_format=torch.channels_last)  # type: ignore[call-arg]  # diffusers warns of a cast, also of none
    return net.requires_grad_(True)  # type: ignore[return-value]


def load(how: ControlNet, path: Path | str, backbone: Backbone) -> ControlNetModel:
    """What `save_pretrained` wrote at `path`. Raises ValueError where it is damaged or of other settings."""
    from melqcd.checkpoints import load_weights, read_weights

    if how.hint == "pixels":
        found = pretrained(ControlNetModel, Path(path), torch_dtype=backbone.dtype)
        found.to(backbone.device, memory_format=torch.channels_last)
        return found.requires_grad_(False).eval()
    net = build(how, backbone)
    file = Path(path) / "diffusion_pytorch_model.safetensors"
    load_weights(net, {k: v.to(backbone.dtype) for k, v in read_weights(file).items()}, file)
    return net.requires_grad_(False).eval()


def show(how: ControlNet, hint: Tensor, backbone: Backbone) -> Tensor:
    """What the network is given of hints [B, bins, frames] in [0, 1]: constant over the steps of sampling, so made once."""
    return backbone.features(hint) if how.hint == "features" else backbone.picture(hint)


class HintStack(nn.Module):
    """3x3 convolutions without stride from VAE-encoder features [B, 2c, h, w] to the UNet's first width, the last one zero.

    Named as diffusers names its own embedding. The released `input_hint_block.{0, 2, ..., 10}` are conv_in, blocks.0 ... blocks.3
    and conv_out (`released_name`).
    """

    def __init__(self, channels: int, widths: Sequence[int], out: int):
        super().__init__()
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.conv_out = nn.Conv2d(widths[-1], out, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        x = silu(self.conv_in(features))
        for block in self.blocks:
            x = silu(block(x))
        return self.conv_out(x)


def released_name(name: str, layers: int = 6) -> str:
    """The name in HintStack of `input_hint_block.<2 i>.weight` or `.bias`, a stack of `layers` convolutions."""
    _, index, kind = name.split(".")
    place = int(index) // 2
    return f"{'conv_in' if place == 0 else 'conv_out' if place == layers - 1 else f'blocks.{place - 1}'}.{kind}"


def hint_channels(backbone: Backbone) -> int:
    """Channels of the encoder's output: mean and log variance."""
    return 2 * backbone.vae.config["latent_channels"]


def predicted_noise(
    backbone: Backbone,
    net: ControlNetModel | None,
    noisy: Tensor,
    times: Tensor,
    words: Tensor,
    shown: Tensor | None,
    scale: float = 1.0,
) -> Tensor:
    """The UNet's estimate [B, c, h, w] of the noise in `noisy` at `times` [B] (0 ... 999), led by `words` and, through `net`, by `shown`.

    net: None is text alone. scale multiplies all that the ControlNet adds.
    """
    if net is None or shown is None:
        return backbone.unet(noisy, times, words).sample
    down, middle = net(noisy, times, words, shown, conditioning_scale=scale, return_dict=False)
    return backbone.unet(noisy, times, words, down_block_additional_residuals=down, mid_block_additional_residual=middle).sample


def noise_loss(
    backbone: Backbone,
    net: ControlNetModel | None,
    latents: Tensor,
    noise: Tensor,
    times: Tensor,
    words: Tensor,
    shown: Tensor | None,
) -> Tensor:
    """[B]: mean squared error of the predicted noise, one a clip (Eq. 9). All of what is random comes in as an argument."""
    noisy = backbone.schedule.add_noise(latents, noise, times)  # type: ignore[arg-type]
    return (predicted_noise(backbone, net, noisy, times, words, shown).float() - noise).square().mean((1, 2, 3))
