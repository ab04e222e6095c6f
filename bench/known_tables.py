"""Writes melqcd/published/tables.txt, the names and shapes of published weights, from the modules that read them.

`python -m bench.known_tables` after a module changed; a test says when that is needed. Modules are built without memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

HEAD = """# Names and shapes of the weights in published checkpoints, below their prefix; {0-2} stands for 0, 1 and 2.
# Written by `python -m bench.known_tables` from the modules that read them; not by hand.
"""


def made() -> dict[str, dict[str, tuple[int, ...]]]:
    """{table: {name: shape}}."""
    import torch

    with torch.device("meta"):
        return {name: build() for name, build in _builders().items()}


def text() -> str:
    from melqcd.published import compact

    blocks = [f"[{name}]\n" + "\n".join(compact(entries)) for name, entries in made().items()]
    return HEAD + "\n" + "\n\n".join(blocks) + "\n"


def _builders() -> dict[str, Callable[[], dict[str, tuple[int, ...]]]]:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import ASTConfig, CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

    from bench.judges.desync_net import DeSync
    from bench.judges.melception_net import Melception
    from bench.judges.panns_net import Cnn14
    from bench.judges.towers import Ears, Eyes, Towers
    from bench.judges.vggsound_net import ResNet18
    from melqcd.adapter import ConditionAdapter
    from melqcd.ldm_names import unet_name, vae_name
    from melqcd.published import SD_TEXT, SD_UNET, SD_VAE
    from melqcd.released import released_controlnet
    from melqcd.sizes import HifiGanSize, MotionSize
    from melqcd.synchformer import Synchformer
    from melqcd.vocoder import HifiGan

    unet, vae = lambda: UNet2DConditionModel(**SD_UNET), lambda: AutoencoderKL(**SD_VAE)
    vision = CLIPVisionConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, patch_size=14, projection_dim=768
    )
    return {
        "sd_unet": lambda: _shapes(unet()),
        "sd_vae": lambda: _shapes(vae()),
        "ldm_unet": lambda: _shapes(unet(), unet_name),
        "ldm_vae": lambda: {k: _conv(k, v) for k, v in _shapes(vae(), vae_name).items()},
        "ldm_controlnet": lambda: _shapes(released_controlnet(), unet_name),
        "clip_text": lambda: _shapes(CLIPTextModel(CLIPTextConfig(**SD_TEXT)), _with("text_model.")),
        "clip_vision": lambda: _shapes(CLIPVisionModelWithProjection(vision), _vision),
        "inversion_adapter": _inversion_adapter,
        "auffusion_adapter": lambda: _shapes(ConditionAdapter(768, 768)),
        "hifigan": lambda: _shapes(HifiGan(HifiGanSize())),
        "synchformer_visual": lambda: _shapes(Synchformer(MotionSize())),
        "synchformer_full": lambda: _shapes(DeSync()),
        "imagebind": lambda: _shapes(Towers(Eyes(), Ears())),
        "melception": lambda: _shapes(Melception()),
        "panns_cnn14": lambda: _shapes(Cnn14(32000)),
        "vggsound_h": lambda: _shapes(ResNet18(False)),
        "vggsound_i": lambda: _shapes(ResNet18(True)),
        "ast": lambda: _ast(ASTConfig(id2label={i: str(i) for i in range(527)})),
        "encodec_hub": lambda: _encodec(hub=True),
        "encodec_original": lambda: _encodec(hub=False),
        "codepredictor": _codepredictor,
    }


def _shapes(module: Any, rename: Callable[[str], str] = str) -> dict[str, tuple[int, ...]]:
    return {rename(name): tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _with(prefix: str) -> Callable[[str], str]:
    return lambda name: name if name.startswith(prefix) else prefix + name


def _vision(name: str) -> str:
    return name if name.startswith(("vision_model.", "visual_projection.")) else f"vision_model.{name}"


def _conv(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The VAE's attention is made of 1 x 1 convolutions in the original."""
    return (*shape, 1, 1) if ".attn_1." in name and len(shape) == 2 else shape


def _inversion_adapter() -> dict[str, tuple[int, ...]]:
    from transformers import CLIPVisionConfig
    from transformers.models.clip.modeling_clip import CLIPEncoderLayer

    layer = _shapes(CLIPEncoderLayer(CLIPVisionConfig()), _with("encoder_layers.0."))  # type: ignore[no-untyped-call]
    sizes = {"post_layernorm": (768,), "layers.0": (3072, 768), "layers.3": (3072, 3072), "layers.6": (32 * 768, 3072)}
    return layer | {f"{k}.weight": v for k, v in sizes.items()} | {f"{k}.bias": v[:1] for k, v in sizes.items()}


AST_NAMES = (
    ("attention.q_proj", "attention.attention.query"), ("attention.k_proj", "attention.attention.key"),
    ("attention.v_proj", "attention.attention.value"), ("attention.o_proj", "attention.output.dense"),
    ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense"), (".layers.", ".encoder.layer."),
)  # fmt: skip


def _ast(config: Any) -> dict[str, tuple[int, ...]]:
    """Under the names of transformers 4, which the published file has."""
    from transformers import ASTForAudioClassification

    def old(name: str) -> str:
        for new, before in AST_NAMES:
            name = name.replace(new, before)
        return name

    return _shapes(ASTForAudioClassification(config), old)


def _encodec(*, hub: bool) -> dict[str, tuple[int, ...]]:
    from transformers import EncodecConfig, EncodecModel

    from melqcd.codec import NORMED, RENAMED

    def published(name: str) -> str:
        for there, here in NORMED:
            name = name.replace(here, there)
        if hub:
            return name
        if name.startswith(("encoder.", "decoder.")):
            kind = ".convtr.convtr." if name.startswith("decoder.") and _transposed(name) else ".conv.conv."
            name = name.replace(".conv.", kind)
        for there, here in RENAMED:
            if here not in (".conv.",):
                name = name.replace(here, there)
        return name

    with_shapes = _shapes(EncodecModel(EncodecConfig()))
    return {published(k): v for k, v in with_shapes.items()}


def _transposed(name: str) -> bool:
    return (
        int(name.split(".")[2]) in (3, 6, 9, 12)
        and len(name.split(".")) <= 7
        and ".block." not in name
        and ".shortcut." not in name
    )


def _codepredictor() -> dict[str, tuple[int, ...]]:
    from melqcd.heads import Head
    from melqcd.predictor import V2X, Predictor

    heads = {"code": Head("class", 81, 2), "energy": Head("scalar"), "deviation": Head("scalar")}
    net = Predictor(V2X(width=512, depth=6, heads=8, bias=256, rate=100), 768, heads)
    found = {k: tuple(v.shape) for k, v in net.named_parameters() if not k.startswith("proj_out.")}
    return found | {f"proj_out.{g}.{p}": s for g in (0, 1) for p, s in (("weight", (81, 512)), ("bias", (81,)))}


if __name__ == "__main__":
    from melqcd.published import TABLES

    TABLES.write_text(text())
    print(f"{TABLES}: {sum(1 for _ in TABLES.open())} lines")
