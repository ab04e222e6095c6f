"""Trained weights that are given instead of trained: known by content, loaded as they are, and nothing is taught."""

import json
import shutil

import pytest
import torch

from bench import chain
from bench.backbones import Lab
from bench.context import Context
from bench.errors import Refused
from bench.identity import digest
from bench.settings import compose
from bench.stages.given import given_controlnet, given_predictor
from bench.store import Store
from controls.melqcd import MelQCD
from melqcd.checkpoints import read_weights
from melqcd.predictor import Predictor
from melqcd.settings import V2X, ControlNet


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A CodePredictor.ckpt of the published layout, small inside."""
    torch.manual_seed(0)
    net = Predictor(V2X(width=16, depth=1, heads=2, bias=8), 768, MelQCD().heads())
    state = {k: v for k, v in net.named_parameters() if not k.startswith("proj_out.")}
    for part in ("weight", "bias"):
        for group, tensor in enumerate(getattr(net.proj_out, part).split(81)):
            state[f"proj_out.{group}.{part}"] = tensor
    path = tmp_path_factory.mktemp("given") / "CodePredictor.ckpt"
    torch.save({"epoch": 99, "state_dict": {f"model.{k}": v.detach().clone() for k, v in state.items()}}, path)
    return path, net


def test_a_given_predictor_is_the_one_in_the_file(released, tmp_path):
    path, net = released
    how = V2X(width=16, depth=1, heads=2, bias=8, path=str(path))
    given_predictor(tmp_path, tmp_path, Context(), how, MelQCD(), 64)
    found = read_weights(tmp_path / "predictor.safetensors")
    assert all(torch.equal(found[k], v) for k, v in net.state_dict().items())
    assert json.loads((tmp_path / "predictor.json").read_text())["given"] == "CodePredictor.ckpt"
    with pytest.raises(Refused, match=r"predictor\.path: .* does not fit Predictor"):
        given_predictor(tmp_path, tmp_path, Context(), V2X(width=32, depth=1, heads=2, bias=8, path=str(path)), MelQCD(), 64)


def test_given_weights_are_known_by_what_they_are_not_by_where_they_lie(released, tmp_path, monkeypatch):
    path, _ = released
    shutil.copy(path, tmp_path / "other.ckpt")
    here, there = V2X(path=str(path)), V2X(path=str(tmp_path / "other.ckpt"))
    assert digest(here) == digest(there) != digest(V2X())
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path))
    assert digest(V2X(path="other.ckpt")) == digest(here)
    with pytest.raises(Refused, match=r"predictor.*there are no weights at nowhere"):
        compose("predictor.path=nowhere")


def test_a_setting_that_was_added_changes_no_older_key():
    assert digest(V2X()) == digest(V2X(path="")) and digest(ControlNet()) == digest(ControlNet(path=""))


def test_nothing_is_taught_where_weights_are_given(released, tmp_path):
    path, _ = released
    folder = tmp_path / "control"
    folder.mkdir()
    x, _ = compose(f"predictor.path={path}", f"controlnet.path={folder}")
    store = Store(tmp_path / "cache", dry=True)
    chain.sound(x, store)
    assert "latents" not in {a.stage for a in store.asked}
    usual = Store(tmp_path / "cache", dry=True)
    chain.sound(compose()[0], usual)
    assert "latents" in {a.stage for a in usual.asked}


def test_a_given_controlnet_is_the_one_in_the_folder(tmp_path):
    how = ControlNet(widths=(16, 32, 64))
    net = how.build(Lab().load("cpu"))
    with torch.no_grad():
        net.controlnet_mid_block.weight.fill_(0.25)
    (tmp_path / "control").mkdir()
    net.save_pretrained(tmp_path / "control")
    given_controlnet(tmp_path / "out", tmp_path, Context(), ControlNet(path=str(tmp_path / "control")), Lab())
    found = ControlNet().load(tmp_path / "out", Lab().load("cpu"))
    assert float(found.controlnet_mid_block.weight.min()) == 0.25
    with pytest.raises(Refused, match=r"controlnet\.path: "):
        given_controlnet(tmp_path / "no", tmp_path, Context(), ControlNet(widths=(8,), path=str(tmp_path / "control")), Lab())
