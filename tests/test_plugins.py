"""The plugin door: a scaffold that works as written, an installed plugin that runs, and one that misbehaves and is named."""

import importlib.util
import json
import os
import site
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.cli import main
from bench.errors import Failed, Refused
from bench.hints import Hints
from bench.ragged import RaggedWriter
from bench.scaffold import new_control
from bench.stages.signals import signals
from controls import Control, registry
from controls.contract import check
from melqcd.heads import Head
from melqcd.mel import Lab, to_image

ROOT = Path(__file__).resolve().parent.parent
LONG = "a_name_of_as_many_letters_as_go"[:30]


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


# ---- bench new control -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["brightness", LONG])
def test_a_new_control_holds_to_the_contract_and_to_our_style(name, tmp_path):
    module, test, project = new_control(name, tmp_path / "there")
    assert [p.name for p in (module, test, project)] == [f"{name}_control.py", f"test_{name}_control.py", "pyproject.toml"]
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ruff",
                *command,
                "--no-cache",
                "--config",
                str(ROOT / "pyproject.toml"),
                str(module),
                str(test),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    cls = getattr(loaded(module), "".join(p.capitalize() for p in name.split("_")) + "Control")
    assert not [f"{rule}: {detail}" for rule, ok, detail in check(cls()) if not ok]
    assert cls().complexity().reals == 2


@pytest.mark.parametrize("name", ["", "Bright", "2nd", "a-b", "a b", "../a", "_a", "a__b", "true", "a" * 31])
def test_a_new_control_needs_a_lower_case_word(name, tmp_path):
    with pytest.raises(Refused, match="no name for a control"):
        new_control(name, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_a_taken_name_is_refused_with_who_has_it(tmp_path):
    with pytest.raises(Refused, match="'onset' exists: it comes with melqcd-bench"):
        new_control("onset", tmp_path)
    assert not list(tmp_path.iterdir())


def test_files_that_exist_are_never_overwritten(tmp_path):
    (tmp_path / "pyproject.toml").write_text("mine")
    with pytest.raises(Refused, match=r"pyproject\.toml would be overwritten"):
        new_control("brightness", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["pyproject.toml"]
    with pytest.raises(Refused, match="is a file"):
        new_control("brightness", tmp_path / "pyproject.toml")


# ---- installed -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A clean venv that sees this one's packages, with the scaffold's wheel and a broken and two clashing plugins in it.

    Gives a function that runs `python -m ...` there.
    """
    folder = tmp_path_factory.mktemp("door")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    packages = folder / f"venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    seen = [p for p in map(str, dict.fromkeys([*site.getsitepackages(), *sys.path])) if p and Path(p).is_dir()]
    lines = [f"import site; site.addsitedir({p!r})" for p in seen if "-packages" in p] + [str(ROOT)]
    (packages / "seen.pth").write_text("\n".join(lines))
    new_control("brightness", folder / "src")
    wheels = folder / "wheels"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(folder / "src")]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    pip = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    assert (packages / "brightness_control.py").exists()
    for dist, entry in (("broken-dist", "broken = gone:Gone"), ("one", "twice = a:A"), ("two", "twice = b:B")):
        info = packages / f"{dist.replace('-', '_')}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{entry}\n")

    def run(*words):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"OMP_NUM_THREADS": "1"}
        return subprocess.run([python, "-m", *map(str, words)], capture_output=True, text=True, cwd=folder, env=env)

    return run


def test_an_installed_plugin_is_listed_checked_and_planned(installed):
    done = installed("bench", "check", "--contract", "control=brightness", "control.width=0.2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout and done.stdout.count("ok  ") > 10
    done = installed("bench", "plan", "control=brightness")
    assert done.returncode == 0, done.stderr
    assert "to make  controlnet-" in done.stdout


def test_the_written_test_passes_where_the_plugin_is_installed(installed):
    done = installed("pytest", "-q", "-p", "no:cacheprovider", "src/test_brightness_control.py")
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_plugins_that_fail_are_named_and_hurt_nobody_else(installed):
    done = installed("bench", "list")
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("  brightness:"))
    assert line.endswith("[brightness-control]")
    assert "width = 0.1  # of the line" in done.stdout
    assert "control 'broken' of broken-dist (gone:Gone) cannot be imported: ModuleNotFoundError" in done.stdout
    assert "control 'twice' is claimed by one and by two" in done.stdout
    assert installed("bench", "plan", "control=melqcd").returncode == 0
    for name, words in (("broken", "broken-dist (gone:Gone) cannot be imported"), ("twice", "claimed by one and by two")):
        done = installed("bench", "check", "--contract", f"control={name}")
        assert done.returncode == 2
        assert words in done.stderr and done.stderr.count("\n") == 1


# ---- in the middle of a run ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flawed(Control):
    """A right one up to a call, then wrong in the way that is asked for."""

    way: str = ""

    def heads(self):
        return {"loud": Head("scalar")}

    def extract(self, batch):
        loud = to_image(batch.mel[..., :: batch.step], batch.scale).mean(-2, keepdim=True)
        wrong = {"nan array": loud / 0 * 0, "flat": loud[:, 0], "short": loud[..., 1:]}
        return {"lout" if self.way == "key" else "loud": wrong.get(self.way, loud)}

    def render(self, signal, scale):
        step = -(-scale.frames // signal["loud"].shape[-1])
        hint = signal["loud"].clamp(0, 1).repeat_interleave(step, -1)[..., : scale.frames].expand(-1, scale.bins, -1)
        wrong = {"nan": hint / 0 * 0, "narrow": hint[..., 1:], "bright": hint + 1, "flat hint": hint[0], "whole": hint.long()}
        return wrong.get(self.way, hint)


@pytest.fixture
def flawed(monkeypatch):
    monkeypatch.setattr(registry, "_added", {})
    registry.add("flawed", Flawed)
    return Flawed


@pytest.fixture
def stored(tmp_path):
    with RaggedWriter(tmp_path, "loud", dtype="float32", tail=(1,)) as writer:
        writer.add("a", np.full((16, 1), 0.5, np.float32))
    (tmp_path / "signal.json").write_text(json.dumps({"arrays": ["loud"], "step": 4}))
    return tmp_path


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("nan", "not finite"),
        ("narrow", r"the hint is \[1, \d+, 63\], expected \[1, \d+, 64\]"),
        ("bright", r"must lie in \[0, 1\]"),
        ("flat hint", r"the hint is \[\d+, 64\]"),
        ("whole", "finite floats, got torch.int64"),
    ],
)
def test_a_wrong_hint_in_a_run_names_control_distribution_and_clip(way, words, flawed, stored):
    assert Hints(flawed(), stored, Lab()).draw(["a"], [0], frames=64).shape[-1] == 64
    with pytest.raises(Failed, match=rf"^control 'flawed' of this session: .*{words}.* \(clips a\)$"):
        Hints(flawed(way), stored, Lab()).draw(["a"], [0], frames=64)


@pytest.mark.parametrize(
    ("way", "words"), [("nan array", "not finite"), ("flat", "expected"), ("short", "expected"), ("key", "extract gives")]
)
def test_a_wrong_signal_in_a_run_names_control_distribution_and_clip(way, words, flawed, tmp_path, monkeypatch):
    class Known:
        rate = Lab().rate
        ids = ("a", "b")

        def __init__(self, path):
            self.waves = type("Waves", (), {"__iter__": lambda s: iter(self.ids), "lengths": lambda s: np.array([16000, 8000])})()

        def batch(self, ids):
            return torch.rand(len(ids), 16000) * 0.1, torch.tensor([16000, 8000])

    class Here:
        device = "cpu"
        torch = staticmethod(lambda: torch)
        track = staticmethod(lambda some, label: some)
        check = staticmethod(lambda: None)

    monkeypatch.setattr("bench.stages.signals.Clips", Known)
    scale = replace(Lab(), frames=100)
    for folder in ("out", "part"):
        (tmp_path / folder).mkdir()
    with pytest.raises(Failed, match=rf"^control 'flawed' of this session: .*{words}.* \(clips a, b\)$"):
        signals(tmp_path / "out", tmp_path / "part", Here(), flawed(way), scale, 4, tmp_path)


def test_the_command_tells_what_it_wrote_and_what_to_do_next(tmp_path, capsys):
    main(["new", "control", "brightness", "--to", str(tmp_path / "there")])
    said = capsys.readouterr().out
    assert "brightness_control.py" in said and "bench check --contract control=brightness" in said
    with pytest.raises(SystemExit) as ended:
        main(["new", "control", "brightness", "--to", str(tmp_path / "there")])
    assert ended.value.code == 2
    assert "would be overwritten" in capsys.readouterr().err
