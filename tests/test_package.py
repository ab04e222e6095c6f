"""The wheel holds what a user needs, and nothing that collides."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_three_packages_and_no_other_top_level_name(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"bench", "controls", "melqcd"}


def test_the_wheel_carries_every_module_and_the_content_folders(wheel):
    names = set(wheel.namelist())
    modules = {str(p.relative_to(ROOT)) for top in ("bench", "controls", "melqcd") for p in (ROOT / top).rglob("*.py")}
    content = {f"bench/content/{p.relative_to(ROOT)}" for top in ("sweeps", "reports") for p in (ROOT / top).glob("*.yaml")}
    trained = [p for folder in ("weights", "shipped") for p in (ROOT / "bench/lab" / folder).rglob("*") if p.is_file()]
    weights = {str(p.relative_to(ROOT)) for p in trained}
    pages = {str(p.relative_to(ROOT)) for p in (ROOT / "bench/report/html/templates").iterdir()}
    assert weights
    assert len(pages) == 6
    assert modules | content | weights | pages <= names


def test_the_shipped_weights_are_small_and_each_has_a_card():
    folder = ROOT / "bench/lab/weights"
    assert sum(p.stat().st_size for top in (folder, folder.parent / "shipped") for p in top.rglob("*")) < 32 * 2**20
    for network in folder.iterdir():
        card = json.loads((network / "card.json").read_text())
        assert card["steps"] > 0
        assert card["quality"]
    assert not [p for p in folder.rglob("*.json") if "_name_or_path" in p.read_text()]


def test_the_wheel_names_the_command_and_the_built_in_controls(wheel):
    (path,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    text = wheel.read(path).decode()
    assert "bench = bench.cli:main" in text
    for name in ("melqcd", "onset", "energy", "lowres", "clip", "none", "oracle"):
        assert f"\n{name} = controls." in text
