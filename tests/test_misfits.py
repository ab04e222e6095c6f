"""A control that breaks the contract in the middle of a run is named with its distribution, in one line."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from bench.context import Context
from bench.errors import Failed
from bench.hints import Hints
from bench.ragged import RaggedWriter
from bench.stages.signals import signals
from controls import Control, registry
from controls.fit import picture_fits
from melqcd.heads import Head
from melqcd.mel import Lab, to_image


@dataclass(frozen=True)
class Flawed(Control):
    """A right one, or one that is wrong in the way that is asked for."""

    way: str = ""

    @property
    def carries(self):
        return ("more",) if self.way == "large" else ()

    def heads(self):
        return {"loud": Head("scalar")}

    def extract(self, batch):
        if self.way == "dies":
            raise IndexError("no\nsuch band")
        loud = to_image(batch.mel[..., :: batch.step], batch.scale).mean(-2, keepdim=True)
        wrong = {"nan": loud * torch.nan, "flat": loud[:, 0], "short": loud[..., 1:], "codes": loud.long()}
        more = {"more": loud * 0 + 1e6} if self.way == "large" else {}
        return {"lout" if self.way == "key" else "loud": wrong.get(self.way, loud), **more}

    def render(self, signal, scale):
        if self.way == "dies":
            raise IndexError("no\nsuch band")
        step = -(-scale.frames // signal["loud"].shape[-1])
        hint = signal["loud"].clamp(0, 1).repeat_interleave(step, -1)[..., : scale.frames].expand(-1, scale.bins, -1)
        wrong = {"nan": hint * torch.nan, "narrow": hint[..., 1:], "bright": hint + 1, "flat": hint[0], "codes": hint.long()}
        return wrong.get(self.way, hint)


@pytest.fixture(autouse=True)
def flawed(monkeypatch):
    monkeypatch.setattr(registry, "_added", {})
    registry.add("flawed", Flawed)


@pytest.fixture
def stored(tmp_path):
    with RaggedWriter(tmp_path, "loud", dtype="float32", tail=(1,)) as writer:
        writer.add("a", np.full((16, 1), 0.5, np.float32))
    (tmp_path / "signal.json").write_text(json.dumps({"arrays": ["loud"], "step": 4}))
    return tmp_path


def test_a_right_hint_is_drawn(stored):
    assert Hints(Flawed(), stored, Lab()).draw(["a"], [0], frames=64).shape == (1, Lab().bins, 64)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("nan", "not finite"),
        ("narrow", r"the hint is \[1, \d+, 63\], expected \[1, \d+, 64\]"),
        ("bright", r"must lie in \[0, 1\]"),
        ("flat", r"the hint is \[\d+, 64\]"),
        ("codes", "finite floats, got torch.int64"),
        ("dies", "IndexError: no such band"),
    ],
)
def test_a_wrong_hint_names_control_distribution_and_clip(way, words, stored):
    with pytest.raises(Failed, match=rf"^control 'flawed' of this session: [^\n]*{words}[^\n]* \(clips a\)$"):
        Hints(Flawed(way), stored, Lab()).draw(["a"], [0], frames=64)


def test_a_hint_over_the_edge_by_rounding_alone_ends_no_run():
    hint = torch.ones(1, Lab().bins, 64)
    assert picture_fits(hint * (1 + 1e-6), replace(Lab(), frames=64), 1)[0]
    assert not picture_fits(hint * (1 + 1e-3), replace(Lab(), frames=64), 1)[0]


@pytest.fixture
def clips(tmp_path):
    """Two noises of a second and of half of it, where the stage reads decoded clips."""
    with RaggedWriter(tmp_path, "wave", dtype="float32", tail=()) as writer:
        for id, length in (("a", 16000), ("b", 8000)):
            writer.add(id, np.random.default_rng(0).normal(0, 0.1, length).astype(np.float32))
    (tmp_path / "facts.json").write_text(json.dumps({"rate": 16000, "root": str(tmp_path)}))
    return tmp_path


def extracted(way, clips, tmp_path):
    out, part = tmp_path / "out", tmp_path / "part"
    out.mkdir()
    part.mkdir()
    signals(out, part, Context(quiet=True), Flawed(way), replace(Lab(), frames=100), 4, clips)
    return out


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("nan", "not finite"),
        ("flat", r"loud is \[2, 25\], expected \[2, 1, 25\]"),
        ("short", r"loud is \[2, 1, 24\]"),
        ("key", r"extract gives \['lout'\]"),
        ("large", r"more is carried, thus kept in half precision, .* got 1e\+06"),
        ("codes", "finite floats, got torch.int64"),
        ("dies", "IndexError: no such band"),
    ],
)
def test_a_wrong_signal_names_control_distribution_and_clips(way, words, clips, tmp_path):
    with pytest.raises(Failed, match=rf"^control 'flawed' of this session: [^\n]*{words}[^\n]* \(clips a, b\)$"):
        extracted(way, clips, tmp_path)


def test_a_right_signal_is_written(clips, tmp_path):
    assert json.loads((extracted("", clips, tmp_path) / "signal.json").read_text())["clips"] == 2
