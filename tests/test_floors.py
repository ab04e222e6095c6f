"""Imports go down: bench uses controls and melqcd, controls uses melqcd, melqcd uses neither."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ABOVE = {"melqcd": {"controls", "bench"}, "controls": {"bench"}, "bench": set()}
FILES = [p.relative_to(ROOT) for floor in ABOVE for p in sorted((ROOT / floor).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    used = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            used |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            used.add(node.module)
    return used


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_go_down(path):
    assert not {name.split(".")[0] for name in imported(path)} & ABOVE[path.parts[0]]


@pytest.mark.parametrize("path", [p for p in FILES if "stages" in p.parts], ids=str)
def test_stages_know_nothing_of_hydra(path):
    assert not {n for n in imported(path) if n.split(".")[0] in ("hydra", "omegaconf") or n == "bench.settings"}


@pytest.mark.parametrize(
    "words", [["--help"], ["list"], ["plan", "control=onset", "backbone.path=w", "motion.path=w"]], ids=" ".join
)
def test_looking_around_imports_no_torch(words, tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "weights").write_text("stand-in: a plan hashes it and opens nothing")
    code = (
        "import sys; from bench.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit as end: assert not end.code, end.code\n"
        "print('HEAVY', sorted({'torch', 'diffusers', 'transformers', 'matplotlib', 'scipy', 'optuna'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert "HEAVY []" in done.stdout, done.stdout[-500:] + done.stderr[-2000:]


def test_nobody_copies_what_is_shared_or_names_this_machine():
    words = ("/wo" + "rk/", "fa" + "rm-")
    for path in [*FILES, *(p.relative_to(ROOT) for p in (ROOT / "tests").rglob("*.py"))]:
        text = (ROOT / path).read_text()
        assert not any(w in text for w in words), path
