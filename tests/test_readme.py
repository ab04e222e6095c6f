"""The README's commands run, and its links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(ROOT.glob("*.md"))


def commands() -> list[str]:
    """Lines that start with `bench` in the README's ```sh blocks; blocks marked ```console show what takes hours or other people's files."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("bench ")]


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_runs(command, tmp_path_factory):
    results = tmp_path_factory.getbasetemp() / "readme"  # shared: the second command finds what the first one made
    if "../shared" in command and not (ROOT.parent / "shared").exists():
        pytest.skip("reference material is not beside the project")
    env = {**os.environ, "BENCH_WORDS": f"machine.results={results}"}
    done = subprocess.run([sys.executable, "-m", *shlex.split(command)], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
