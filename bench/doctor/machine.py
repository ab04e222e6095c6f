"""What the machine is: versions, device, memory, disk, Slurm. Nothing heavy is imported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from bench.doctor.line import Line

NEEDED = {"torch": (2, 6), "diffusers": (0, 35), "transformers": (5,), "numpy": (2,), "safetensors": (0, 5), "av": (15,)}
PATIENCE_S = 3  # for another program to answer


def environment() -> Line:
    """Python and the libraries that the networks need."""
    found, old = [f"Python {sys.version.split()[0]}"], []
    for name, least in NEEDED.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            old.append(f"{name} is not installed")
            continue
        found.append(f"{name} {version}")
        if tuple(int(n) for n in re.findall(r"\d+", version)[:3]) < least:
            old.append(f"{name} {version} is older than {'.'.join(map(str, least))}")
    cure = "make .venv/ready, or pip install --upgrade as pyproject.toml asks"
    return Line(not old, "environment", "; ".join(old) if old else ", ".join(found), cure if old else "")


def gpus() -> list[tuple[str, float]]:
    """(name, gigabytes of memory) of each NVIDIA GPU that the driver shows."""
    if not shutil.which("nvidia-smi"):
        return []
    asked = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    told = _asked(asked)
    rows = [line.rsplit(",", 1) for line in (told or "").splitlines() if "," in line]
    return [(name.strip(), float(mb) / 1024) for name, mb in rows if mb.strip().replace(".", "").isdigit()]


def device(chosen: str, needed_gb: float, why: str) -> Line:
    """The device that networks of `needed_gb` run on; a CPU will do only for small ones."""
    found = gpus()
    wants = chosen in ("auto", "cuda") or chosen.startswith("cuda:")
    if found and wants:
        name, gb = found[int(chosen[5:]) if chosen.startswith("cuda:") and chosen[5:].isdigit() else 0]
        fine = gb >= needed_gb
        cure = f"a GPU of {needed_gb:.0f} GB or more, or smaller batches (controlnet.training.batch)"
        return Line(fine, "device", f"{name}, {gb:.0f} GB; {why} takes about {needed_gb:.0f} GB", "" if fine else cure)
    threads = os.cpu_count() or 1
    if chosen.startswith("cuda"):
        return Line(False, "device", f"machine.device={chosen}, but no NVIDIA GPU is to be seen here",
                    "begin on a machine with one, or machine.device=cpu")  # fmt: skip
    if needed_gb > 4:
        return Line(False, "device", f"no GPU is to be seen, {threads} CPU threads; {why} is not done on them in any useful time",
                    f"begin on a machine with a GPU of {needed_gb:.0f} GB or more, or through Slurm")  # fmt: skip
    return Line(True, "device", f"CPU, {threads} threads; {why} is small enough for it")


def compiler(gpu: bool) -> Line:
    """What torch.compile needs, as far as one can see without trying."""
    from importlib.util import find_spec

    cxx = os.environ.get("CXX", "g++")
    lacking = [
        name
        for name, there in ((f"C++ compiler {cxx}", shutil.which(cxx)), ("triton", not gpu or find_spec("triton")))
        if not there
    ]
    cure = f"install {' and '.join(lacking)}, or leave machine.compile=off"
    return Line(not lacking, "compile", f"no {', no '.join(lacking)}" if lacking else f"{cxx} is there", cure if lacking else "")


def memory(needed_gb: float, why: str) -> Line:
    told = Path("/proc/meminfo")
    there = int(re.search(r"MemTotal:\s+(\d+)", told.read_text())[1]) / 1e6 if told.exists() else float("inf")  # type: ignore[index]
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        there = min(there, int(text) / 1e9)
    fine = there >= needed_gb
    cure = f"a machine (or a Slurm job) with {needed_gb:.0f} GB or more"
    return Line(fine, "memory", f"{there:.0f} GB; {why} takes about {needed_gb:.0f} GB", "" if fine else cure)


def disk(place: Path, needed_gb: float) -> Line:
    there = place
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free / 1e9
    fine = free >= needed_gb and os.access(there, os.W_OK)
    told = f"{free:.0f} GB free at {place}; artefacts take about {needed_gb:.1f} GB"
    if not os.access(there, os.W_OK):
        return Line(False, "disk", f"{there} cannot be written to", "give machine.results=DIR")
    return Line(fine, "disk", told, "" if fine else "give machine.results=DIR on a larger disk")


def slurm(wanted: bool) -> Line:
    """Whether jobs could be submitted from here; red only where the words ask for it."""
    if not shutil.which("sbatch"):
        told = "no sbatch on this machine"
        return Line(not wanted, "slurm", told if wanted else f"{told}; not asked for", "begin on a login node" if wanted else "")
    told = _asked(["sinfo", "--noheader", "--format=%P %a"])
    if told is None:
        told = "sinfo gives no answer"
        return Line(
            not wanted, "slurm", told if wanted else f"{told}; not asked for", "ask whoever runs the cluster" if wanted else ""
        )
    up = [line.split()[0] for line in told.splitlines() if line.split()[1:] == ["up"]]
    return Line(bool(up) or not wanted, "slurm", f"partitions that are up: {', '.join(up) or 'none'}",
                "" if up or not wanted else "wait, or another cluster")  # fmt: skip


def _asked(command: list[str]) -> str | None:
    """What the program says; None where it fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
