"""Numbers of sixteen bits and compiled code: what is near to float32, what is equal to rounding, what keeps its name and its key."""

import json
import shutil

import pytest
import torch

from bench import chain
from bench.cli import open_store
from bench.context import Context
from bench.errors import Refused
from bench.identity import digest
from bench.lab.networks.diffusion import Diffusion
from bench.lab.networks.vae import VAE
from bench.media import sound as hear
from bench.settings import compose
from melqcd import compiling
from melqcd.backbone import Backbone
from melqcd.controlnet import noise_loss
from melqcd.mel import MelScale
from melqcd.sampling import DPMSolver, clip_noise, generate
from melqcd.settings import ControlNet, Training
from melqcd.training import train

HOW = ControlNet(widths=(8, 16))
PIXELS = ControlNet(hint="pixels", widths=(4, 8, 8))


@pytest.fixture
def backbone(tmp_path) -> Backbone:
    torch.manual_seed(0)
    vae, scale = VAE(widths=(8, 16, 16)).build(), MelScale(bins=32, frames=64)
    return Diffusion(widths=(16, 32), words=16).begin(vae, ["dog barking"], scale, tmp_path / "tokens")


def stirred(net):
    """`net` with weights that make it do something."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.01 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return net


@pytest.fixture
def shown(backbone):
    return HOW.show(torch.rand(3, 32, 64, generator=torch.Generator().manual_seed(1)), backbone)


def made(backbone, net, shown, **how):
    noise, words = clip_noise("abc", backbone.latent_shape), backbone.words(["dog barking"] * 3)
    return generate(backbone, DPMSolver(steps=4, **how), noise, words, net=net, shown=shown)


# ---- precision ------------------------------------------------------------------------------------------------------------------


# bf16 has 8 bits of mantissa, fp16 has 11: a step of rounding is 4e-3 and 5e-4, guidance multiplies differences by three
@pytest.mark.parametrize(("precision", "near"), [("bf16", 0.1), ("fp16", 0.0125)])
@pytest.mark.parametrize("how", [HOW, PIXELS], ids=["features", "pixels"])
def test_sampling_in_sixteen_bits_is_near_to_thirty_two(backbone, tmp_path, precision, near, how):
    stirred(how.build(backbone)).save_pretrained(tmp_path)
    hint = torch.rand(3, 32, 64, generator=torch.Generator().manual_seed(1))
    wanted = made(backbone, how.load(tmp_path, backbone), how.show(hint, backbone))
    backbone.narrow(precision)
    net, shown = how.load(tmp_path, backbone), how.show(hint, backbone)
    assert {p.dtype for p in (*net.parameters(), *backbone.unet.parameters())} == {
        getattr(torch, {"bf16": "bfloat16"}.get(precision, "half"))
    }
    found = made(backbone, net, shown, precision=precision)
    assert found.dtype == torch.float32
    away = float((found - wanted).abs().max() / wanted.std())
    assert 0 < away < near
    assert float((backbone.decode(found) - backbone.decode(wanted)).abs().max()) < near


def test_only_the_networks_of_the_steps_are_narrowed(backbone):
    backbone.narrow("bf16")
    assert (backbone.unet.dtype, backbone.vae.dtype, backbone.text.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    assert backbone.words(["dog barking"]).dtype == torch.float32


def test_precision_is_part_of_the_sound_and_at_its_default_of_no_key():
    plain, half = DPMSolver(), DPMSolver(precision="fp16")
    assert digest(plain) != digest(half)
    assert "precision" not in str(sorted(plain_key(plain))) and digest(
        compose("sampling.precision=fp32", site=False)[0].sampling
    ) == digest(plain)
    with pytest.raises(ValueError, match="fp32, bf16 or fp16, got 'fp8'"):
        DPMSolver(precision="fp8")  # type: ignore[arg-type]


def plain_key(component):
    from bench.identity import _typed

    return _typed(component)["fields"]


# ---- compiled -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def captured(monkeypatch):
    """Compiling as far as the graph: what inductor then makes of it takes minutes (see the slow test)."""
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    yield
    torch._dynamo.reset()


def learnt(backbone, shown, ctx, steps=3):
    torch.manual_seed(0)
    net = HOW.build(backbone)
    g = torch.Generator().manual_seed(1)
    batch = {
        "latents": torch.randn(3, *backbone.latent_shape, generator=g),
        "noise": torch.randn(3, *backbone.latent_shape, generator=g),
    }
    batch |= {"times": torch.tensor([1, 500, 900]), "words": backbone.words(["dog barking"] * 3), "shown": shown}
    ctx.compiled(backbone.unet, net)
    done = train(net, lambda _: batch, lambda b: noise_loss(backbone, net, *b.values()), Training(steps=steps, batch=3), ctx=ctx)
    return net, done


# dynamo looks at every tensor's grad and hides the warning from itself, which an error is not
looking = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")


@looking
def test_compiled_networks_learn_the_same_under_the_same_names(backbone, shown, captured):
    plain, _ = learnt(backbone, shown, Context(quiet=True))
    fast, done = learnt(backbone, shown, Context(quiet=True, compile=True))
    assert done.step == 3 and fast._compiled_call_impl is not None and backbone.unet._compiled_call_impl is not None
    torch.testing.assert_close(
        fast.state_dict(), plain.state_dict(), rtol=1e-3, atol=2e-5
    )  # same names; AdamW divides small by small


@pytest.mark.filterwarnings("default")  # some torch tells of itself
@pytest.mark.slow  # minutes of compiling
def test_inductor_makes_the_same(backbone, shown):
    net = stirred(HOW.build(backbone)).requires_grad_(False).eval()
    wanted = made(backbone, net, shown)
    Context(quiet=True, compile=True).compiled(backbone.unet, net)
    torch.testing.assert_close(made(backbone, net, shown), wanted, rtol=1e-3, atol=1e-3)
    torch._dynamo.reset()


def test_plainly_runs_a_compiled_network_as_it_was_written(captured):
    ctx, net = Context(quiet=True, compile=True), torch.nn.Linear(2, 2)
    ctx.compiled(net, None)
    seen = []
    net.register_forward_hook(lambda *_: seen.append(torch.compiler.is_compiling()))
    with ctx.plainly():
        net(torch.ones(1, 2))
    with ctx.plainly(False):
        net(torch.ones(1, 2))
    assert seen == [False, True]


def test_where_nothing_can_be_compiled_it_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "no_such_backend")
    with pytest.raises(
        Refused, match=r"^machine.compile=on: torch.compile does not work here \(.*no_such_backend.*; install .* or leave it off$"
    ):
        Context(quiet=True, compile=True).compiled(torch.nn.Linear(1, 1))
    Context(quiet=True).compiled(torch.nn.Linear(1, 1))  # nobody asked for it


def test_compile_is_no_part_of_an_experiment():
    (x, machine), (y, other) = compose("machine.compile=on", site=False), compose(site=False)
    assert digest(x) == digest(y) and machine.context().compile and not other.context().compile


@looking
@pytest.mark.slow  # a world, a training and sampling, twice
def test_the_stages_make_the_same_sound_under_the_same_key(tmp_path, captured, monkeypatch):
    monkeypatch.setattr("bench.stages.sound.AT_ONCE", 1)  # so that no batch is a short one, which is not compiled for
    sound = {}
    for way in ("off", "on"):
        if sound:  # the world and what is made of it once
            kept = lambda _, names: [n for n in names if n.startswith(("controlnet", "sound"))]  # noqa: E731
            shutil.copytree(tmp_path / "off", tmp_path / "on", ignore=kept)
        x, machine = compose(
            "control=energy", "predicted=none", "data.test=2", "data.train=4", "controlnet.training.steps=2", "sampling.steps=2",
            "controlnet.training.batch=4", "machine.quiet=true", "machine.workers=1", "machine.threads=1", "machine.shipped=off",
            f"machine.compile={way}", f"machine.results={tmp_path / way}", site=False,
        )  # fmt: skip
        store = open_store(machine)
        sound[way] = chain.sound(x, store)
        assert {n.partition("-")[0] for n in store.made} >= {"controlnet", "sound"}
    assert sound["off"].name == sound["on"].name
    for path in sound["off"].glob("*.wav"):
        one, other = (hear(p, 16000) for p in (path, sound["on"] / path.name))
        assert float(abs(one - other).max()) < 1e-3
    told = [json.loads(next((tmp_path / way / "cache").glob("controlnet-*/training.json")).read_text())["loss"] for way in sound]
    assert told[0] == [[s, pytest.approx(loss, rel=1e-4)] for s, loss in told[1]]
