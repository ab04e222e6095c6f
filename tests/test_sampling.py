"""Sampling: the released PLMS, guidance in one call, noise that belongs to the clip."""

import numpy as np
import pytest
import torch

from bench.lab.networks.diffusion import Diffusion
from bench.lab.networks.vae import VAE
from melqcd.backbone import Backbone
from melqcd.controlnet import ControlNet
from melqcd.mel import MelScale
from melqcd.sampling import DDIM, PNDM, DPMSolver, clip_noise, generate, integrate

SETTINGS = ControlNet(widths=(8, 16))


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Backbone:
    torch.manual_seed(0)
    vae, scale = VAE(widths=(8, 16, 16)).build(), MelScale(bins=32, frames=64)
    return Diffusion(widths=(16, 32), words=16).begin(vae, ["dog barking"], scale, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def net(backbone):
    made = SETTINGS.build(backbone).eval()
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.01 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return made


@pytest.fixture
def hint() -> torch.Tensor:
    return torch.rand(3, 32, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("steps", [10, 100])
def test_pndm_is_the_released_plms(shared, steps):
    golden = np.load(shared / "goldens/checkpoints/melqcd_plms.npz")
    start = torch.from_numpy(golden["x_T"])
    times = []

    def toy(x, t):  # the golden's network with guidance 7.5; its README gives the formula
        times.append(int(t))
        along, without = (0.5 * torch.tanh(x + c) + 0.1 * torch.sin(t / 100) for c in (0.3, -0.2))
        return without + 7.5 * (along - without)

    config = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    made = integrate(PNDM().scheduler(config), steps, start, toy)
    wanted = torch.from_numpy(golden[f"S{steps}_final"])
    assert float((made - wanted).abs().max() / wanted.std()) < 2e-4  # tolerance of the goldens
    assert times == golden[f"S{steps}_timesteps"].tolist()


@pytest.mark.parametrize("sampler", [DPMSolver(), DDIM(), PNDM()], ids=["dpm", "ddim", "pndm"])
def test_every_sampler_finds_a_known_gaussian(sampler):
    # data N(2, 0.5^2): the best estimate of the noise is linear in x, so the samples' mean and deviation are known
    config = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler = sampler.scheduler(config)
    kept = scheduler.alphas_cumprod

    def best(x, t):
        a = kept[int(t)]
        return (1 - a).sqrt() * (x - a.sqrt() * 2) / (a * 0.5**2 + 1 - a)

    made = integrate(scheduler, sampler.steps, torch.randn(4000, generator=torch.Generator().manual_seed(0)), best)
    # the schedule ends with 7 % of the signal left (SD's known flaw), which pulls the mean by up to 0.07
    assert float(made.mean()) == pytest.approx(2, abs=0.08)
    assert float(made.std()) == pytest.approx(0.5, abs=0.08)


def test_guidance_costs_one_call_a_step(backbone, net, hint, monkeypatch):
    sizes = []
    forward = backbone.unet.forward
    monkeypatch.setattr(backbone.unet, "forward", lambda x, *a, **k: sizes.append(len(x)) or forward(x, *a, **k))
    encoded = []
    encoder = backbone.vae.encoder.forward
    monkeypatch.setattr(backbone.vae.encoder, "forward", lambda x: encoded.append(len(x)) or encoder(x))
    noise = clip_noise("abc", backbone.latent_shape)
    shown = SETTINGS.show(hint, backbone)
    generate(backbone, DPMSolver(steps=5), noise, backbone.words(["dog barking"] * 3), net=net, shown=shown)
    assert sizes == [6] * 5
    assert encoded == [3]
    sizes.clear()
    generate(backbone, DPMSolver(steps=5, guidance=1.0), noise, backbone.words(["dog barking"] * 3), net=net, shown=shown)
    assert sizes == [3] * 5


def test_two_halves_in_one_call_are_two_calls(backbone, net, hint):
    words, noise, shown = (
        backbone.words(["dog barking"] * 3),
        clip_noise("abc", backbone.latent_shape),
        SETTINGS.show(hint, backbone),
    )
    together = generate(backbone, DPMSolver(steps=4, guidance=3.0), noise, words, net=net, shown=shown)

    def apart(x, t):
        from melqcd.controlnet import predicted_noise

        t = t.expand(len(x))
        along = predicted_noise(backbone, net, x, t, words, shown)
        without = predicted_noise(backbone, net, x, t, backbone.words([""] * 3), shown)
        return without + 3.0 * (along - without)

    with torch.no_grad():
        wanted = integrate(DPMSolver().scheduler(backbone.schedule.config), 4, noise, apart)
    assert torch.allclose(together, wanted, atol=1e-4)


def test_a_batch_is_its_clips_one_by_one(backbone, net, hint):
    def made(rows):
        ids, shown = [f"clip {i}" for i in rows], SETTINGS.show(hint[rows], backbone)
        words = backbone.words(["dog barking"] * len(rows))
        return generate(backbone, DPMSolver(steps=4), clip_noise(ids, backbone.latent_shape), words, net=net, shown=shown)

    assert torch.allclose(made([0, 1, 2]), torch.cat([made([0]), made([1]), made([2])]), atol=1e-4)


def test_the_hint_and_the_words_change_the_sound(backbone, net, hint):
    noise, words = clip_noise("abc", backbone.latent_shape), backbone.words(["dog barking"] * 3)
    args = {"net": net, "shown": SETTINGS.show(hint, backbone)}
    made = generate(backbone, DPMSolver(steps=4), noise, words, **args)
    assert not torch.allclose(made, generate(backbone, DPMSolver(steps=4), noise, words), atol=1e-3)
    assert not torch.allclose(
        made, generate(backbone, DPMSolver(steps=4), noise, backbone.words(["a sound"] * 3), **args), atol=1e-3
    )


def test_noise_belongs_to_seed_clip_and_sample():
    one, other = clip_noise(["a", "b"], (2, 3), seed=1), clip_noise(["b"], (2, 3), seed=1)
    assert torch.equal(one[1], other[0])
    for different in (
        clip_noise(["b"], (2, 3), seed=2),
        clip_noise(["b"], (2, 3), seed=1, sample=1),
        clip_noise(["a"], (2, 3), seed=1),
    ):
        assert not torch.equal(other, different)
    many = clip_noise([str(i) for i in range(300)], (50,))
    assert float(many.mean()) == pytest.approx(0, abs=0.04)
    assert float(many.std()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"guidance": 0.5}, {"control": -1.0}])
def test_impossible_samplers_are_refused(wrong):
    with pytest.raises(ValueError):
        DPMSolver(**wrong)
