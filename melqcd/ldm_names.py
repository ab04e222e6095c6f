"""What the original latent diffusion code calls the weights that diffusers calls otherwise: one renaming, from ours to theirs.

For Stable Diffusion 1's UNet, VAE and ControlNet, as MelQCD.ckpt holds them (specification of checkpoints, 2).
"""

from __future__ import annotations

import re

UNET, VAE, CONTROL = "model.diffusion_model.", "first_stage_model.", "control_model."
LEVELS = 4  # resolutions of Stable Diffusion's UNet and VAE
LAYERS = 2  # residual blocks of each on the way down; one more on the way up

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}  # fmt: skip
_ENDS = {
    "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0", "conv_out": "out.2", "controlnet_mid_block": "middle_block_out.0",
}  # fmt: skip
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def unet_name(ours: str) -> str:
    """The original name, below its prefix, of a weight of diffusers' UNet2DConditionModel or ControlNetModel."""
    for here, there in _ENDS.items():
        if ours.startswith(f"{here}."):
            return there + ours[len(here) :]
    if found := re.fullmatch(r"(down|up)_blocks\.(\d)\.(resnets|attentions)\.(\d)\.(.+)", ours):
        way, level, kind, layer, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
        block = f"input_blocks.{1 + (LAYERS + 1) * level + layer}" if way == "down" else f"output_blocks.{3 * level + layer}"
        return f"{block}.0.{_resnet(rest)}" if kind == "resnets" else f"{block}.1.{rest}"
    if found := re.fullmatch(r"down_blocks\.(\d)\.downsamplers\.0\.conv\.(.+)", ours):
        return f"input_blocks.{(LAYERS + 1) * (int(found[1]) + 1)}.0.op.{found[2]}"
    if found := re.fullmatch(r"up_blocks\.(\d)\.upsamplers\.0\.(.+)", ours):
        level = int(found[1])  # the lowest resolution has no attention before it
        return f"output_blocks.{3 * level + 2}.{1 if level == 0 else 2}.{found[2]}"
    if found := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", ours):
        if found[1] == "attentions":
            return f"middle_block.1.{found[3]}"
        return f"middle_block.{2 * int(found[2])}.{_resnet(found[3])}"
    if found := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(.+)", ours):
        return f"zero_convs.{found[1]}.0.{found[2]}"
    if found := re.fullmatch(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.(\d))\.(.+)", ours):
        place = {"conv_in": 0, "conv_out": 5}.get(found[1], 1 + int(found[2] or 0))
        return f"input_hint_block.{2 * place}.{found[3]}"
    raise KeyError(ours)


def vae_name(ours: str) -> str:
    """The original name, below its prefix, of a weight of diffusers' AutoencoderKL. Its attention was a 1 x 1 convolution there."""
    found = re.fullmatch(r"(encoder|decoder)\.(down|up)_blocks\.(\d)\.(resnets|downsamplers|upsamplers)\.(\d)\.(.+)", ours)
    if found:
        way, level, kind, layer, rest = found[2], int(found[3]), found[4], found[5], found[6]
        level = level if way == "down" else LEVELS - 1 - level
        if kind == "resnets":
            return f"{found[1]}.{way}.{level}.block.{layer}.{rest.replace('conv_shortcut', 'nin_shortcut')}"
        return f"{found[1]}.{way}.{level}.{kind.removesuffix('rs')}.{rest}"
    if found := re.fullmatch(r"(encoder|decoder)\.mid_block\.resnets\.(\d)\.(.+)", ours):
        return f"{found[1]}.mid.block_{int(found[2]) + 1}.{found[3]}"
    if found := re.fullmatch(r"(encoder|decoder)\.mid_block\.attentions\.0\.(.+)\.(weight|bias)", ours):
        return f"{found[1]}.mid.attn_1.{_ATTENTION[found[2]]}.{found[3]}"
    return ours.replace("conv_norm_out", "norm_out")


def _resnet(rest: str) -> str:
    head, _, tail = rest.partition(".")
    return f"{_RESNET[head]}.{tail}"
