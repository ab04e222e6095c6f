"""The door for other people's control signals: one file and one entry point, from `bench new control` to a wheel in a clean venv."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from bench.errors import Refused
from bench.scaffold import scaffold

ROOT = Path(__file__).resolve().parent.parent


def clean(extra: dict[str, str] | None = None) -> dict[str, str]:
    """The environment without what would let a child import this checkout by its folder."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")} | (extra or {})


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plugin") / "dist"
    scaffold("bright_spot", folder)
    return folder


def test_what_is_written_is_formatted_and_passes_its_own_tests(plugin):
    ruff = Path(sys.executable).with_name("ruff")
    for how in (["format", "--check"], ["check"]):
        subprocess.run([ruff, *how, "--config", ROOT / "pyproject.toml", plugin], check=True, capture_output=True)
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(tests, cwd=plugin, env=clean({"PYTHONPATH": str(plugin)}), capture_output=True, text=True)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_module_is_about_forty_lines(plugin):
    lines = (plugin / "bright_spot_control.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 45


@pytest.mark.parametrize("name", ["Onset", "2nd", "a-b", "class", ""])
def test_a_name_that_cannot_be_one_is_refused(name, tmp_path):
    with pytest.raises(Refused, match="a control's name"):
        scaffold(name, tmp_path)


def test_a_name_that_is_taken_is_refused_with_its_owner(tmp_path):
    with pytest.raises(Refused, match="from melqcd-bench"):
        scaffold("onset", tmp_path)


def test_nothing_is_overwritten(plugin):
    with pytest.raises(Refused, match="is there already"):
        scaffold("bright_spot", plugin)


@pytest.fixture(scope="module")
def installed(plugin, tmp_path_factory) -> Path:
    """The bin folder of a new venv with the plugin's wheel, which sees the packages of this one."""
    work = tmp_path_factory.mktemp("venv")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", work, plugin]
    subprocess.run(build, check=True, capture_output=True, env=clean())
    (wheel,) = work.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", work / "venv"], check=True)
    (site,) = (work / "venv").glob("lib/python*/site-packages")
    # addsitedir, not a plain path: the packages of this venv include an editable install, which is a .pth file itself
    (site / "these.pth").write_text(f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        work / "venv/bin/python",
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        wheel,
    ]
    subprocess.run(pip, check=True, capture_output=True, env=clean())
    return work / "venv/bin"


def bench(bin: Path, *words: str) -> subprocess.CompletedProcess:
    command = [bin / "python", "-c", "from bench.cli import main; main()", *words]
    return subprocess.run(command, cwd=bin.parent, env=clean(), capture_output=True, text=True)


def test_an_installed_plugin_is_listed_with_its_origin(installed):
    done = bench(installed, "list")
    assert "bright_spot: Centre of the spectrum and mean level.  [melqcd-bench-bright-spot]" in done.stdout, done.stderr


def test_an_installed_plugin_passes_the_contract(installed):
    done = bench(installed, "check", "--contract", "control=bright_spot", "control.width=0.1")
    assert done.returncode == 0 and "FAIL" not in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_an_installed_plugin_is_run_between_floor_and_ceilings(installed, tmp_path):
    small = (
        "data.test=2",
        "data.train=18",
        "sampling.steps=1",
        "judges=[sync]",
        f"machine.results={tmp_path}",
        "machine.workers=1",
    )
    little = [f"{net}.training.{k}={v}" for net in ("controlnet", "predictor") for k, v in (("steps", 1), ("batch", 2))]
    done = bench(installed, "run", "control=bright_spot", *small, *little)
    assert done.returncode == 0, done.stderr[-2000:]
    assert all(row in done.stdout for row in ("bright_spot, true hints", "bright_spot, predicted", "oracle", "reference"))


def test_the_settings_of_a_plugin_are_checked(installed):
    done = bench(installed, "plan", "control=bright_spot", "control.widht=0.1")
    assert done.returncode == 2 and "Did you mean 'width'" in done.stderr
