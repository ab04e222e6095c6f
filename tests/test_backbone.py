"""The backbone: its folder format, and what goes in and out."""

import json

import pytest
import torch

from bench.lab.networks.diffusion import Diffusion
from bench.lab.networks.vae import VAE, standardise
from melqcd.backbone import Backbone
from melqcd.mel import Auffusion, MelScale

SCALE = MelScale(bins=32, frames=64)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Backbone:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tokens")
    return Diffusion(widths=(16, 32), words=16).begin(VAE(widths=(8, 16, 16)).build(), ["dog barking"], SCALE, folder)


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(3, 32, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def saved(backbone, tmp_path):
    backbone.save(tmp_path)
    return tmp_path


def test_a_saved_backbone_is_the_same_when_loaded(backbone, saved, image):
    again = Backbone.load(saved)
    assert again.scale == SCALE
    assert torch.equal(again.encode(image), backbone.encode(image))
    assert torch.equal(again.words(["dog barking"]), backbone.words(["dog barking"]))


def test_without_mel_json_the_scale_is_auffusions(saved):
    (saved / "mel.json").unlink()
    assert Backbone.load(saved).scale == Auffusion()


def test_latents_and_features_have_the_released_shapes(backbone, image):
    assert backbone.encode(image).shape == (3, *backbone.latent_shape) == (3, 8, 8, 16)
    assert backbone.features(image).shape == (3, 16, 8, 16)  # mean and log variance, before quant_conv
    assert backbone.decode(backbone.encode(image)).shape == image.shape


def test_features_are_what_quant_conv_makes_latents_of(backbone, image):
    mean = backbone.vae.quant_conv(backbone.features(image)).chunk(2, 1)[0]
    assert torch.allclose(mean * backbone.vae.config["scaling_factor"], backbone.encode(image), atol=1e-6)


def test_pictures_that_do_not_divide_are_refused(backbone):
    with pytest.raises(ValueError, match="multiples of 4"):
        backbone.encode(torch.zeros(1, 30, 64))


def test_words_are_padded_to_77_and_equal_prompts_are_encoded_alike(backbone):
    words = backbone.words(["dog barking", "", "dog barking"])
    assert words.shape == (3, 77, 16)
    assert torch.equal(words[0], words[2])
    assert not torch.allclose(words[0], words[1])


def test_known_words_are_one_token_and_others_are_spelt(backbone):
    ids = backbone.tokenizer(["Dog barking", "dig"]).input_ids
    assert [len(i) for i in ids] == [4, 5]
    assert backbone.tokenizer.decode(ids[1][1:-1]).strip() == "dig"


def test_a_missing_part_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no vae/ in .*tokenizer"):
        Backbone.load(tmp_path)


def test_a_config_that_disagrees_with_the_weights_is_named(saved):
    config = json.loads((saved / "unet" / "config.json").read_text())
    (saved / "unet" / "config.json").write_text(json.dumps(config | {"block_out_channels": [16, 48]}))
    with pytest.raises(ValueError, match="unet"):
        Backbone.load(saved)


def test_weights_that_lack_a_tensor_are_refused(saved):
    from safetensors.torch import load_file, save_file

    file = saved / "text_encoder" / "model.safetensors"
    state = load_file(file)
    state.pop(sorted(state)[0])
    save_file(state, file, {"format": "pt"})
    with pytest.raises(ValueError, match=r"text_encoder.*missing"):
        Backbone.load(saved)


def test_a_cut_off_file_is_named(saved):
    file = saved / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="vae"):
        Backbone.load(saved)


def test_a_pickle_that_would_run_code_is_not_run(saved):
    import os
    import pickle

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(saved / "trapped"),)

    (saved / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    (saved / "vae" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="vae"):
        Backbone.load(saved)
    assert not (saved / "trapped").exists()


def test_a_backbone_that_predicts_something_else_is_refused(saved):
    config = json.loads((saved / "scheduler" / "scheduler_config.json").read_text())
    (saved / "scheduler" / "scheduler_config.json").write_text(json.dumps(config | {"prediction_type": "v_prediction"}))
    with pytest.raises(ValueError, match="v_prediction"):
        Backbone.load(saved)


def test_standardised_features_leave_the_compressor_as_it_was(image):
    torch.manual_seed(0)
    vae = VAE(widths=(8, 16, 16)).build()
    picture = image[:, None] * 2 - 1
    with torch.no_grad():
        before = vae.encode(picture).latent_dist.mean
        standardise(vae, picture)
        after = vae.encode(picture).latent_dist.mean
        features = vae.encoder(picture)
    assert torch.allclose(before, after, atol=1e-5)
    assert features.mean((0, 2, 3)).abs().max() < 1e-4
    assert (features.std((0, 2, 3)) - 1).abs().max() < 1e-4
