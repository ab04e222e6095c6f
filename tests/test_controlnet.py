"""The ControlNet: how the hint enters, what it learns from, and the released names."""

import json

import pytest
import torch

from bench.lab.networks.diffusion import Diffusion
from bench.lab.networks.vae import VAE
from melqcd.backbone import Backbone
from melqcd.controlnet import ControlNet, HintStack, noise_loss, predicted_noise, released_name
from melqcd.mel import MelScale
from melqcd.settings import Training
from melqcd.training import train

FEATURES = ControlNet(widths=(8, 16))
PIXELS = ControlNet(hint="pixels", widths=(4, 8, 8))


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Backbone:
    torch.manual_seed(0)
    vae, scale = VAE(widths=(8, 16, 16)).build(), MelScale(bins=32, frames=64)
    return Diffusion(widths=(16, 32), words=16).begin(vae, ["dog barking"], scale, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def batch(backbone) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    image = torch.rand(4, 32, 64, generator=g)
    return {
        "latents": backbone.encode(image),
        "noise": torch.randn(4, *backbone.latent_shape, generator=g),
        "times": torch.randint(0, 1000, (4,), generator=g),
        "words": backbone.words(["dog barking"] * 4),
        "image": image,
    }


def losses(backbone, net, batch, shown):
    return noise_loss(backbone, net, batch["latents"], batch["noise"], batch["times"], batch["words"], shown)


@pytest.mark.parametrize("settings", [FEATURES, PIXELS], ids=["features", "pixels"])
def test_a_new_controlnet_changes_nothing(backbone, batch, settings):
    net = settings.build(backbone)
    with torch.no_grad():
        assert torch.allclose(
            losses(backbone, net, batch, settings.show(batch["image"], backbone)), losses(backbone, None, batch, None), atol=1e-6
        )


@pytest.mark.parametrize("settings", [FEATURES, PIXELS], ids=["features", "pixels"])
def test_training_changes_the_controlnet_and_not_the_backbone(backbone, batch, settings, tmp_path):
    frozen = {k: v.clone() for k, v in backbone.unet.state_dict().items()}
    net, shown = settings.build(backbone), settings.show(batch["image"], backbone)
    told = train(
        net,
        lambda draw: {**batch, "shown": shown},
        lambda b: losses(backbone, net, b, b["shown"]),
        Training(steps=12, batch=4, lr=3e-3, warmup=0.0, decay="none"),
    )
    assert told.history[-1][1] < told.history[0][1]
    assert all(torch.equal(v, frozen[k]) for k, v in backbone.unet.state_dict().items())
    with torch.no_grad():
        other = settings.show(1 - batch["image"], backbone)
        assert not torch.allclose(losses(backbone, net, batch, shown), losses(backbone, net, batch, other))
    net.save_pretrained(tmp_path)
    again = settings.load(tmp_path, backbone)
    with torch.no_grad():
        assert torch.equal(losses(backbone, again, batch, shown), losses(backbone, net.eval(), batch, shown))


def test_the_loss_is_the_squared_error_of_the_noise(backbone, batch):
    with torch.no_grad():
        noisy = backbone.schedule.add_noise(batch["latents"], batch["noise"], batch["times"])
        found = predicted_noise(backbone, None, noisy, batch["times"], batch["words"], None)
        wanted = (found - batch["noise"]).pow(2).flatten(1).mean(1)
        assert torch.allclose(losses(backbone, None, batch, None), wanted)


def test_scale_zero_takes_the_hint_away(backbone, batch):
    net = FEATURES.build(backbone)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.01)
        shown = FEATURES.show(batch["image"], backbone)
        args = (batch["noise"], batch["times"], batch["words"])
        alone = predicted_noise(backbone, None, *args, None)
        assert torch.allclose(predicted_noise(backbone, net, *args, shown, 0.0), alone, atol=1e-6)
        assert not torch.allclose(predicted_noise(backbone, net, *args, shown, 1.0), alone, atol=1e-3)


def test_the_released_hint_block_fits_the_stack_by_name_and_shape(shared):
    entries = json.loads((shared / "goldens/checkpoints/manifests/melqcd_cldm.json").read_text())["entries"]
    block = {k.removeprefix("control_model."): v["shape"] for k, v in entries.items() if "input_hint_block" in k}
    stack = HintStack(8, (16, 32, 64, 128, 256), 320)
    assert {released_name(k): v for k, v in block.items()} == {k: list(v.shape) for k, v in stack.state_dict().items()}


def test_pixels_need_one_halving_for_each_of_the_vaes(backbone):
    with pytest.raises(ValueError, match="3 fit this backbone"):
        ControlNet(hint="pixels", widths=(4, 8)).build(backbone)


@pytest.mark.parametrize("wrong", [{"hint": "image"}, {"widths": ()}, {"dropout": 1.5}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        ControlNet(**wrong)


def test_weights_of_other_widths_are_refused_by_name(backbone, tmp_path):
    FEATURES.build(backbone).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="controlnet_cond_embedding"):
        ControlNet(widths=(8, 16, 16)).load(tmp_path, backbone)
