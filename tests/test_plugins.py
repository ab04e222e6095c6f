"""The door for other people's control signals: one file and one entry point, from `bench new control` to a wheel in a clean venv."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from bench.cli import main
from bench.errors import Refused
from bench.scaffold import LONGEST, scaffold
from controls import registry

ROOT = Path(__file__).resolve().parent.parent
LONG = "a_name_of_as_many_letters_as_go"[:LONGEST]


def clean() -> dict[str, str]:
    """The environment without what would let a child import this checkout by its folder, or another way than a user's."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "BENCH_"))} | {"OMP_NUM_THREADS": "1"}


# ---- bench new control -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plugin") / "dist"
    scaffold("bright_spot", folder)
    return folder


@pytest.mark.parametrize("name", ["bright_spot", "batch", LONG])
def test_what_is_written_is_formatted_and_passes_its_own_tests(name, tmp_path):
    scaffold(name, tmp_path)
    ruff = Path(sys.executable).with_name("ruff")
    for how in (["format", "--check"], ["check"]):
        command = [ruff, *how, "--no-cache", "--config", ROOT / "pyproject.toml", tmp_path]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    tests = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests"]
    env = clean() | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(tests, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_module_is_about_forty_lines(plugin):
    lines = (plugin / "bright_spot_control.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 45


@pytest.mark.parametrize("name", ["Onset", "2nd", "a-b", "a b", "../a", "_a", "a__b", "a_", "class", "true", "a" * 31, "a\n", ""])
def test_a_name_that_cannot_be_one_is_refused(name, tmp_path):
    with pytest.raises(Refused, match="a control's name"):
        scaffold(name, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_a_name_that_is_taken_is_refused_with_its_owner(tmp_path):
    with pytest.raises(Refused, match="'onset' already, from melqcd-bench"):
        scaffold("onset", tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "pyproject.toml").write_text("mine")
    with pytest.raises(Refused, match=r"pyproject\.toml is there already"):
        scaffold("bright_spot", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["pyproject.toml"]
    with pytest.raises(Refused, match="is a file"):
        scaffold("bright_spot", tmp_path / "pyproject.toml")
    assert (tmp_path / "pyproject.toml").read_text() == "mine"


def test_the_command_tells_what_it_wrote_and_what_to_do_next(tmp_path, capsys):
    main(["new", "control", "bright_spot", "--to", str(tmp_path / "there")])
    said = capsys.readouterr().out
    assert "bright_spot_control.py" in said and "bench check control=bright_spot" in said
    with pytest.raises(SystemExit) as ended:
        main(["new", "control", "bright_spot", "--to", str(tmp_path / "there")])
    assert ended.value.code == 2
    assert "is there already" in capsys.readouterr().err


# ---- installed -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(plugin, tmp_path_factory) -> Path:
    """The bin folder of a new venv which sees the packages of this one.

    It has the plugin's wheel, a distribution whose module is gone, and two that claim one name.
    """
    work = tmp_path_factory.mktemp("venv")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", work, plugin]
    subprocess.run(build, check=True, capture_output=True, env=clean())
    (wheel,) = work.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", work / "venv"], check=True)
    (site,) = (work / "venv").glob("lib/python*/site-packages")
    # addsitedir, not a plain path: the packages of this venv include an editable install, which is a .pth file itself
    (site / "these.pth").write_text(f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n")
    pip = [sys.executable, "-m", "pip", "--python", work / "venv/bin/python", "install", "--no-deps", "--no-index", "-q", wheel]
    subprocess.run(pip, check=True, capture_output=True, env=clean())
    for owner, entry in (("broken-dist", "broken = gone:Gone"), ("one", "twice = a:A"), ("two", "twice = b:B")):
        info = site / f"{owner.replace('-', '_')}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {owner}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{entry}\n")
    return work / "venv/bin"


def bench(bin: Path, *words: str) -> subprocess.CompletedProcess:
    return python(bin, "from bench.cli import main; main()", *words)


def python(bin: Path, code: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([bin / "python", "-c", code, *words], cwd=bin.parent, env=clean(), capture_output=True, text=True)


def test_the_plugin_is_the_wheel_s_and_not_this_checkout_s(installed):
    done = python(installed, "import bright_spot_control; print(bright_spot_control.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(installed.parent / "lib"), done.stderr


def test_plugins_are_listed_with_their_origins_and_a_broken_one_hurts_nobody(installed):
    done = bench(installed, "list")
    assert done.returncode == 0, done.stderr
    assert "bright_spot: Centre of the spectrum and mean level.  [melqcd-bench-bright-spot]" in done.stdout
    assert "width = 0.05  # of the lit part of the hint" in done.stdout
    assert "control 'broken' of broken-dist (gone:Gone) cannot be imported: ModuleNotFoundError" in done.stdout
    assert "control 'twice' is claimed by one and by two" in done.stdout
    assert bench(installed, "plan", "control=melqcd").returncode == 0


def test_looking_at_an_installed_plugin_imports_no_torch(installed):
    look = "import sys; from bench.cli import main; main(); print('HEAVY', sorted({'torch', 'scipy'} & set(sys.modules)))"
    for words in (["list"], ["plan", "control=bright_spot"]):
        done = python(installed, look, *words)
        assert "HEAVY []" in done.stdout, done.stdout[-300:] + done.stderr


def test_an_installed_plugin_passes_the_contract(installed):
    done = bench(installed, "check", "--contract", "control=bright_spot", "control.width=0.1")
    assert done.returncode == 0 and "FAIL" not in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "'broken' of broken-dist (gone:Gone) cannot be imported: ModuleNotFoundError"),
        ("twice", "claimed by one and by two"),
    ],
)
def test_checking_a_plugin_that_cannot_be_loaded_says_whose_it_is_in_one_line(installed, name, words):
    done = bench(installed, "check", "--contract", f"control={name}")
    assert done.returncode == 2
    assert words in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_several_are_checked_one_after_the_other_whatever_befalls_one(installed):
    done = bench(installed, "check", "--contract", "control=broken,bright_spot,none")
    blocks = done.stdout.split("\n\n")
    assert done.returncode == 1, done.stderr
    assert [b.splitlines()[0] for b in blocks] == ["control=broken", "control=bright_spot", "control=none"]
    assert ["FAIL" in b for b in blocks] == [True, False, False], done.stdout
    assert "broken-dist" in blocks[0]


@pytest.mark.slow
def test_an_installed_plugin_is_run_between_floor_and_ceilings(installed, tmp_path):
    small = [
        "data.test=2",
        "data.train=18",
        "sampling.steps=1",
        "judges=[sync]",
        f"machine.results={tmp_path}",
        "machine.workers=1",
    ]
    little = [f"{net}.training.{k}={v}" for net in ("controlnet", "predictor") for k, v in (("steps", 1), ("batch", 2))]
    done = bench(installed, "run", "control=bright_spot", *small, *little)
    assert done.returncode == 0, done.stderr[-2000:]
    assert all(row in done.stdout for row in ("bright_spot, true hints", "bright_spot, predicted", "oracle", "reference"))


def test_the_settings_of_a_plugin_are_checked(installed):
    done = bench(installed, "plan", "control=bright_spot", "control.widht=0.1")
    assert done.returncode == 2 and "Did you mean 'width'" in done.stderr
