"""What extraction takes at scale: clips a second and core, peak memory at two sizes, a killed share, and planning a large manifest.

Run it as `python tests/benchmarks/extraction.py [FEW] [MANY] [ROWS]` (500 2000 200000): writes small real mp4 files in VGGSound's layout,
one in fifty broken, to a temporary folder. Every measurement is a process of its own.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench import artefacts
from bench.context import Context
from bench.data.vggsound import VGGSound
from bench.media import write_mp4
from bench.settings import component
from bench.store import Store
from melqcd.mel import Lab as Scale

FRAMES, SIDE = 25, 48  # of a clip: a second


def name(k: int) -> str:
    return f"bench{k:06d}"


def write_clips(root: Path, count: int) -> None:
    """`count` videos of a moving square with noise for sound; one in fifty is cut, text or not there."""
    draw = np.random.default_rng(0)
    for k in range(count):
        path = root / "video" / f"{name(k)}_000030.mp4"
        path.parent.mkdir(exist_ok=True)
        if k % 150 == 49:
            continue
        pictures = np.full((FRAMES, SIDE, SIDE, 3), 60, np.uint8)
        for t in range(FRAMES):
            pictures[t, (t + k) % 40 : (t + k) % 40 + 8, 8:24] = 200
        write_mp4(path, pictures, 25, draw.normal(0, 0.1, FRAMES * 640).astype(np.float32), 16000)
        if k % 150 == 99:
            path.write_bytes(path.read_bytes()[:900])
        elif k % 150 == 149:
            path.write_text("404: this video is no longer available")


def write_manifest(path: Path, rows: int) -> None:
    with open(path, "w") as file:
        file.writelines(f'{name(k)},30,"label, {k % 309}",{"train" if k % 13 else "test"}\n' for k in range(rows))


def peak_mb() -> int:
    """The most memory this process has had (VmHWM)."""
    return int(next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith("VmHWM")).split()[1]) // 1024


def opened(results: str) -> Store:
    return Store(Path(results), Context(workers=1, threads=1, quiet=True), deferred=True)


def asked(store: Store, root: str, count: int) -> dict[str, Path]:
    clips = store(artefacts.clips, VGGSound(root, table=f"{count}.csv", max_bad=0.05))
    looks = store(artefacts.features, "looks", component("looks", "lab"), clips)
    return {
        "clips": clips,
        "features": looks,
        "signals": store(artefacts.signals, component("control", "melqcd"), Scale(), 4, clips),
    }


def child(what: str, root: str, results: str, count: str, stage: str, *more: str) -> None:
    """One measurement: an artefact made alone, or a share of it."""
    store = opened(results)
    folder = asked(store, root, int(count))[stage]
    began, cpu = time.perf_counter(), sum(os.times()[:4])
    if what == "share":
        store.share(folder, *map(int, more))
    else:
        store.need(folder)
    told = {"s": time.perf_counter() - began, "cpu": sum(os.times()[:4]) - cpu, "mb": peak_mb(), "folder": str(folder)}
    print(json.dumps(told))


def start(*words: object) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, __file__, *map(str, words)], stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen) -> dict:
    said = process.communicate()[0]
    assert process.returncode == 0, process.returncode
    return json.loads(said.splitlines()[-1])


def contents(folder: str) -> str:
    told = hashlib.sha256()
    for path in sorted(p for p in Path(folder).iterdir() if p.name != "made.json"):
        told.update(path.name.encode() + path.read_bytes())
    return told.hexdigest()[:16]


def killed(root: Path, here: Path, count: int) -> str:
    """Two shares of the clips, one of which is killed half-way and begun again; contents of what they make."""
    folder = asked(opened(str(here)), str(root), count)["clips"]
    part = here / f"{folder.name}.part"
    one, two = (start("share", root, here, count, "clips", k, 2) for k in range(2))
    half = -(-count // 32) // 2
    while len(list(part.glob("shard-*.npz"))) < half:
        assert two.poll() is None, "it was done before it could be killed"
        time.sleep(0.05)
    os.kill(two.pid, signal.SIGKILL)
    two.communicate()
    there = len(list(part.glob("shard-*.npz")))
    result(one)
    again = result(start("share", root, here, count, "clips", 1, 2))
    joined = result(start("make", root, here, count, "clips"))
    print(f"killed: share 2 of 2 ended by SIGKILL at {there} of {2 * half} pieces; share 1 made what it left,")
    print(f"  begun again it had {again['s']:.1f} s to do, joining took {joined['s']:.1f} s")
    return contents(joined["folder"])


def planning(root: Path, rows: int) -> None:
    code = "import sys; from bench.cli import main; main(sys.argv[1:]); assert 'torch' not in sys.modules"
    words = [
        "plan",
        "data=vggsound",
        f"data.root={root}",
        f"data.table={rows}.csv",
        "control=melqcd",
        f"machine.results={root / 'none'}",
    ]
    began = time.perf_counter()
    cpu = sum(os.times()[2:4])
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    spent = sum(os.times()[2:4]) - cpu
    print(f"plan: {rows} rows in {time.perf_counter() - began:.1f} s, {spent:.1f} s of a core: {done.stdout.splitlines()[-2]}")


def main(few: int, many: int, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        began = time.perf_counter()
        write_clips(root, many)
        for count in (few, many, rows):
            write_manifest(root / f"{count}.csv", count)
        print(f"{many} clips of {FRAMES / 25:g} s written in {time.perf_counter() - began:.0f} s")
        planning(root, rows)
        for count in (few, many):
            for stage in ("clips", "features", "signals"):
                got = result(start("make", root, root / f"r{count}", count, stage))
                rate = f"{count / got['s']:.0f} clips a second, {count / got['cpu']:.0f} a second of a core"
                print(
                    f"{stage} of {count}: {got['s']:.1f} s, {rate}, peak {got['mb']} MB",
                    flush=True,
                )
                if stage == "clips":
                    whole = contents(got["folder"])
        same = killed(root, root / "killed", many) == whole
        print(f"  the same content as made by one process: {same}")
        assert same


if __name__ == "__main__":
    if sys.argv[1:2] in (["make"], ["share"]):
        child(*sys.argv[1:])
    else:
        main(*[int(n) for n in sys.argv[1:4]] or (500, 2000, 200_000))
