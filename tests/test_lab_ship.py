"""What comes with the package is what the same stages make, under the same keys, and a run finds it."""

import numpy as np
import pytest

from bench import chain
from bench.context import Context
from bench.lab.build import install
from bench.settings import compose
from bench.store import Stage, Store
from bench.weights import SHIPPED

FIRST = ("control=melqcd", "learn=lab", "data.test=40", "data.train=0")


def lacking(*words: str, shipped=(SHIPPED,), root="nowhere") -> list[str]:
    x, _ = compose(*FIRST, *words, site=False)
    store = Store(root, Context(quiet=True), dry=True, shipped=shipped)
    return [name.partition("-")[0] for name in store.lacking(chain.sound(x, store))]


@pytest.mark.parametrize("control", ["melqcd", "oracle"])
def test_the_first_run_trains_nothing(control, tmp_path):
    assert not {"controlnet", "predictor", "latents"} & set(lacking(f"control={control}", root=tmp_path))


def test_without_what_is_shipped_it_trains(tmp_path):
    assert {"controlnet", "predictor", "latents"} <= set(lacking(shipped=(), root=tmp_path))


def test_other_settings_are_not_taken_for_what_is_shipped(tmp_path):
    assert "controlnet" in lacking("controlnet.training.steps=599", root=tmp_path)
    assert "predictor" in lacking("predictor.training.seed=1", root=tmp_path)


def test_an_installed_artefact_is_one_of_a_store(tmp_path):
    from safetensors.numpy import load_file, save_file

    def make(out, part, ctx, n):
        save_file({"w": np.full(4, 1 / 3, np.float32)}, out / "w.safetensors")

    class Here(Stage):
        def __call__(self, out, part, ctx, *parts):
            make(out, part, ctx, *parts)

    made = Store(tmp_path / "a", Context(quiet=True))(Here("net", "here:make"), 1)
    install(made, tmp_path / "b" / made.name, whole=True)
    found = Store(tmp_path / "c", Context(quiet=True), shipped=(tmp_path / "b",))(Here("net", "here:make"), 1)
    assert found == tmp_path / "b" / made.name
    assert load_file(found / "w.safetensors")["w"].dtype == np.float16
    assert (found / "made.json").exists()
