"""What the tests on Slurm do: `bench` in a folder of micro sweeps, and what became of its jobs."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

COMMON = """
about: a micro lab
common: >-
  data.test=1 data.train=2 judges=[sync] sampling.steps=1 controlnet.widths=[4,8] controlnet.training.batch=1
"""
PATIENCE_S = 900  # for one thing to happen, on a machine that is busy


def put(folder: Path, sweeps: Mapping[str, str]) -> Path:
    """`folder` with the sweeps in it, each given by what stands below COMMON."""
    (folder / "sweeps").mkdir()
    for name, runs in sweeps.items():
        common = COMMON.replace("data.test=1 data.train=2 ", "") if "data=folder" in runs else COMMON
        (folder / "sweeps" / f"{name}.yaml").write_text(f"{common.rstrip()}\n{runs.strip()}\n")
    return folder


def calmly(lab: Path) -> None:
    """A folder `calm` beside the results with the same clips and signals, for an undisturbed run in one process."""
    (lab / "calm" / "cache").mkdir(parents=True)
    for stage in ("world", "clips", "latents", "signals"):
        for path in (lab / "results" / "cache").glob(f"{stage}-????????????????"):
            shutil.copytree(path, lab / "calm" / "cache" / path.name)


def environment(**more) -> dict:
    words = "machine=slurm machine.partition=micro machine.quiet=true machine.save=1"
    return {**os.environ, "OMP_NUM_THREADS": "1", "BENCH_WORDS": words, **more}


def command(*words: str) -> list[str]:
    return [str(Path(sys.executable).parent / "bench"), *words]


def bench(lab: Path, *words: str, status: int = 0) -> str:
    done = subprocess.run(command(*words), cwd=lab, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def until(seen, what: str):
    end = time.monotonic() + PATIENCE_S
    while not (found := seen()):
        assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}\n{told('squeue')}"
        time.sleep(0.5)
    return found


def told(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def queued() -> list[str]:
    return told("squeue", "-h", "-r", "-o", "%i").split()


def jobs(lab: Path, results: str = "results") -> dict[str, dict]:
    """{key: what was submitted}."""
    paths = (lab / results / "jobs").glob("*.json")
    return {p.stem: json.loads(p.read_text()) for p in paths if not p.name.endswith(".state.json")}


def said(lab: Path, key: str) -> dict:
    path = lab / "results" / "jobs" / f"{key}.state.json"
    return json.loads(path.read_text()) if path.exists() else {}


def checkpoint(lab: Path, key: str) -> Path:
    return lab / "results" / "cache" / f"{key}.part" / "controlnet.pt"


def running(lab: Path, key: str, turn: int) -> bool:
    """Whether the job trains in its turn `turn` or a later one, and has saved in it."""
    state, path = said(lab, key), checkpoint(lab, key)
    assert state.get("state") != "done", "the training ended before it was disturbed: it has too few steps for this machine"
    fresh = path.exists() and path.stat().st_mtime > state.get("when", 0)
    return state.get("state") == "running" and state["restarts"] >= turn and fresh
