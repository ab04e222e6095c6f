"""Auffusion's layout with a condition adapter: what words are, which parts it asks for, half precision and pickles."""

import json
import shutil

import pytest
import torch

from bench.lab.networks.diffusion import Diffusion
from bench.lab.networks.vae import VAE
from melqcd.adapter import ConditionAdapter
from melqcd.backbone import Backbone
from melqcd.mel import MelScale


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tokens")
    scale = MelScale(bins=32, frames=64)
    built = Diffusion(widths=(16, 32), words=16).begin(VAE(widths=(8, 16, 16)).build(), ["dog barking"], scale, folder)
    built.save(folder / "plain")
    return folder / "plain"


@pytest.fixture
def adapted(plain, tmp_path):
    """The same model as Auffusion publishes it: text_encoder_0 with its tokenizer, condition_adapter_0, the list of conditions."""
    torch.manual_seed(1)
    folder = tmp_path / "adapted"
    shutil.copytree(plain, folder, ignore=shutil.ignore_patterns("tokenizer", "text_encoder"))
    shutil.copytree(plain / "text_encoder", folder / "text_encoder_0")
    for file in (plain / "tokenizer").iterdir():
        if file.name != "config.json":
            shutil.copy(file, folder / "text_encoder_0")
    (folder / "condition_adapter_0").mkdir()
    torch.save(ConditionAdapter(16, 16).state_dict(), folder / "condition_adapter_0" / "condition_adapter.pt")
    told = {"text_encoder_name": "openai/clip-vit-large-patch14", "condition_adapter_name": "condition_adapter_0",
            "condition_dim": 16, "cross_attention_dim": 16}  # fmt: skip
    (folder / "condition_config.json").write_text(json.dumps([told]))
    return folder


def test_words_of_an_adapter_are_as_long_as_they_are_and_the_rest_is_its_answer_to_nothing(plain, adapted):
    model, without = Backbone.load(adapted), Backbone.load(plain)
    assert model.adapter is not None
    words = model.words(["dog barking", "", "dog barking"])
    ids = model.tokenizer("dog barking", return_tensors="pt").input_ids
    with torch.no_grad():
        hidden = without.text(ids).last_hidden_state
        assert torch.allclose(words[0, : ids.shape[1]], model.adapter(hidden)[0], atol=1e-6)
        assert torch.allclose(words[0, ids.shape[1] :], model.adapter(torch.zeros(1, 16)), atol=1e-6)
    assert not words[1].any() and torch.equal(words[0], words[2])


def test_a_prompt_too_long_for_clip_is_cut(adapted):
    assert Backbone.load(adapted).words(["dog " * 100]).shape == (1, 77, 16)


@pytest.mark.parametrize("part", ["text_encoder_0", "condition_adapter_0"])
def test_a_missing_part_is_named(adapted, part):
    shutil.rmtree(adapted / part)
    with pytest.raises(FileNotFoundError, match=part):
        Backbone.load(adapted)


def test_a_list_of_conditions_that_is_none_is_named(adapted):
    (adapted / "condition_config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"condition_config\.json should list one condition"):
        Backbone.load(adapted)


def test_half_precision_and_pickles_are_read_as_float32(plain, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(plain, tmp_path / "m")
    unet = tmp_path / "m" / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(unet)
    save_file(
        {k: v.half() for k, v in state.items()}, unet.with_name("diffusion_pytorch_model.fp16.safetensors"), {"format": "pt"}
    )
    unet.unlink()
    vae = tmp_path / "m" / "vae" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(vae), vae.with_suffix(".bin"))
    vae.unlink()
    model = Backbone.load(tmp_path / "m")
    assert model.dtype == torch.float32
    for name, tensor in model.unet.state_dict().items():
        assert torch.allclose(tensor, state[name], atol=1e-3, rtol=1e-3)


def test_weights_of_another_network_are_told_with_ten_names(plain, tmp_path):
    from safetensors.torch import save_file

    shutil.copytree(plain, tmp_path / "m")
    unet = tmp_path / "m" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({f"blocks.{i}.weight": torch.zeros(1) for i in range(12)}, unet, {"format": "pt"})
    with pytest.raises(
        ValueError, match=r"unet: the weights do not agree with config\.json; .*missing keys: .*12 unexpected keys: "
    ):
        Backbone.load(tmp_path / "m")
