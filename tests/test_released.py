"""The released Mel-QCD in small: one file's parts under their original names become diffusers' modules with the same weights."""

import shutil

import pytest
import torch
from diffusers.loaders import single_file_utils
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from bench.backbones import MelQCD
from bench.weights import LAB
from melqcd import released
from melqcd.checkpoints import read_weights
from melqcd.ldm_names import CONTROL, UNET, VAE, unet_name, vae_name
from melqcd.published import SD_CONTROLNET, SD_TEXT, SD_UNET, SD_VAE

SIZES = {"block_out_channels": (32, 32, 64, 64), "attention_head_dim": 2, "cross_attention_dim": 16}
UNET_SIZE = SD_UNET | SIZES | {"sample_size": 8}
CONTROL_SIZE = SD_CONTROLNET | SIZES
VAE_SIZE = SD_VAE | {"block_out_channels": (32, 32, 32, 32), "sample_size": 32}
TEXT_SIZE = SD_TEXT | {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                       "vocab_size": 1024}  # fmt: skip


@pytest.fixture(scope="module")
def parts():
    """{prefix: (module, the original's name of a weight)}, weights of chance."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(released, "SD_CONTROLNET", CONTROL_SIZE)
        patch.setattr(released, "HintStack", lambda *_: released_stack())
        control = released.released_controlnet()
    text = CLIPTextModel(CLIPTextConfig(**TEXT_SIZE))
    return {
        UNET: (UNet2DConditionModel(**UNET_SIZE), unet_name),
        VAE: (AutoencoderKL(**VAE_SIZE), vae_name),
        CONTROL: (control, unet_name),
        "cond_stage_model.transformer.": (text, released._text_name),
        "inversion_adapter.transformer.": (text, released._text_name),
    }


def released_stack():
    from melqcd.controlnet import HintStack

    stack = HintStack(8, (16, 32, 64, 128, 256), 32)
    torch.nn.init.normal_(stack.conv_out.weight)
    return stack


@pytest.fixture(scope="module")
def state(parts):
    found = {"betas": torch.zeros(3), "inversion_adapter.inversion_adapter.layers.0.bias": torch.ones(2)}
    for prefix, (module, name) in parts.items():
        for ours, tensor in module.state_dict().items():
            theirs = name(ours)
            conv = prefix == VAE and ".attn_1." in theirs and tensor.dim() == 2
            found[prefix + theirs] = (tensor[..., None, None] if conv else tensor).clone()
    found["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    return found


@pytest.mark.parametrize(
    ("prefix", "convert"),
    [
        (UNET, lambda s, m: single_file_utils.convert_ldm_unet_checkpoint(s, dict(m.config))),
        (VAE, lambda s, m: single_file_utils.convert_ldm_vae_checkpoint(s, dict(m.config))),
        (CONTROL, lambda s, m: single_file_utils.convert_controlnet_checkpoint(s, dict(m.config))),
    ],
)
def test_diffusers_own_conversion_finds_the_same_weights_under_our_names(parts, state, prefix, convert):
    module, _ = parts[prefix]
    found = convert(dict(state), module)
    found = {k.replace("controlnet_cond_embedding.blocks.4.", "controlnet_cond_embedding.conv_out."): v for k, v in found.items()}
    own = module.state_dict()
    assert set(found) == set(own)
    assert all(torch.equal(found[k].reshape(own[k].shape), own[k]) for k in own)


@pytest.fixture(scope="module", params=["MelQCD.safetensors", "MelQCD.ckpt"])
def file(request, state, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrain")
    if request.param.endswith("safetensors"):
        save_file(state, folder / request.param)
    else:
        torch.save(
            {"epoch": 1, "state_dict": {k: v.half() if v.is_floating_point() else v for k, v in state.items()}},
            folder / request.param,
        )
    shutil.copytree(LAB / "backbone" / "tokenizer", folder / "tokenizer")
    return folder / request.param


@pytest.fixture
def small(monkeypatch):
    for name, size in (("SD_UNET", UNET_SIZE), ("SD_VAE", VAE_SIZE), ("SD_TEXT", TEXT_SIZE), ("SD_CONTROLNET", CONTROL_SIZE)):
        monkeypatch.setattr(released, name, size)
    monkeypatch.setattr(released, "HintStack", lambda *_: released_stack())


def same(found, module, half: bool) -> bool:
    own = module.state_dict()
    return all(torch.allclose(v.float(), own[k].float(), rtol=2e-3 if half else 0, atol=1e-4 if half else 0)
               for k, v in found.state_dict().items())  # fmt: skip


def test_every_part_is_read_from_the_one_file(small, parts, file):
    half = file.suffix == ".ckpt"
    assert same(released.load_controlnet(file), parts[CONTROL][0], half)
    assert same(released.load_text(file, "inversion"), parts["inversion_adapter.transformer."][0], half)
    assert set(released.adapter_weights(file)) == {"layers.0.bias"}
    model = MelQCD(path=str(file)).load("cpu")
    assert same(model.unet, parts[UNET][0], half) and same(model.vae, parts[VAE][0], half)
    assert model.words(["dog barking", ""]).shape == (2, 77, 16)
    assert model.latent_shape == (4, 32, 128) and model.dtype == torch.float32


def test_a_folder_stands_for_the_file_in_it_and_the_vocoder_beside_it(file):
    chosen = MelQCD(path=str(file.parent))
    assert chosen.file() == file and chosen.vocoder_folder() == file.parent and chosen.words() == file.parent / "tokenizer"


def test_the_schedule_is_the_one_that_the_file_repeats(shared):
    import numpy as np

    said = np.load(shared / "goldens/checkpoints/melqcd_cldm_schedule.npz")
    found = released.schedule()
    for ours, theirs in ((found.betas, said["betas"]), (found.alphas_cumprod, said["alphas_cumprod"])):
        assert np.abs(ours.numpy() - theirs).max() < 2e-4 * theirs.std()


def test_a_file_that_lacks_a_part_says_which_weights(small, state, tmp_path):
    some = {k: v for k, v in state.items() if "middle_block.0.in_layers.0" not in k}
    save_file(some, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r"\(model\.diffusion_model\.\.\.\.\) does not fit UNet2DConditionModel\. 2 missing: "):
        released.load_unet(tmp_path / "x.safetensors")
    save_file({k: v for k, v in some.items() if not k.startswith(CONTROL)}, tmp_path / "y.safetensors")
    with pytest.raises(ValueError, match=r"no entry named control_model"):
        read_weights(tmp_path / "y.safetensors", prefix=CONTROL)
