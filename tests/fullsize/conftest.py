"""Full-size networks with the goldens' deterministic weights: gigabytes and minutes, one network at a time (`make fullsize`)."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

PIECE = 1 << 15  # numbers at once
GIGABYTES = 18  # of memory that a check may take
KEPT = os.environ.get("BENCH_FULLSIZE")  # a file of comparisons, one JSON a line, that several runs of pytest add to
ROWS: list[dict] = []  # this run's


def stream(name: str, count: int) -> np.ndarray:
    """The rule's s-stream of `name`: as detfill.s_unit gives it, in pieces that fit a core's cache and without new arrays."""
    seed = np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
    out = np.empty(count, np.float32)
    steps = np.arange(1, PIECE + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z, shifted = np.empty(PIECE, np.uint64), np.empty(PIECE, np.uint64)
    for first in range(0, count, PIECE):
        size = min(PIECE, count - first)
        a, b = z[:size], shifted[:size]
        offset = (int(seed) + first * 0x9E3779B97F4A7C15) % 2**64
        np.add(steps[:size], np.uint64(offset), out=a)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            np.right_shift(a, np.uint64(shift), out=b)
            np.bitwise_xor(a, b, out=a)
            np.multiply(a, np.uint64(factor), out=a)
        np.right_shift(a, np.uint64(31), out=b)
        np.bitwise_xor(a, b, out=a)
        np.right_shift(a, np.uint64(40), out=a)
        np.multiply(a.astype(np.float32), np.float32(2.0**-23), out=out[first : first + size])
        out[first : first + size] -= np.float32(1)
    return out


class Goldens:
    """The fill rule, the manifests and the reference outputs."""

    def __init__(self, folder: Path, detfill):
        self.rule, self.folder = detfill, folder
        assert np.array_equal(stream(f"{folder.name}.w", 70_001), detfill.s_unit(f"{folder.name}.w", 70_001))
        detfill.s_unit = stream  # the same numbers in a fifth of the time

    def said(self, name: str) -> dict[str, np.ndarray]:
        return dict(np.load(self.folder / f"{name}.npz"))

    def entries(self, name: str) -> dict:
        return self.rule.load_manifest(self.folder / "manifests" / f"{name}.json")["entries"]

    def weights(self, name: str, keep: Callable[[str], bool] = lambda _: True) -> dict[str, torch.Tensor]:
        """Published names to filled tensors; constants that an architecture computes are left out."""
        manifest = self.rule.load_manifest(self.folder / "manifests" / f"{name}.json")
        scale = manifest.get("w_scale", 1.0)
        found = {}
        for key, e in manifest["entries"].items():
            if e["fill"] != "c" and keep(key):
                tensor = torch.from_numpy(self.rule.fill(key, e["shape"], e["fill"], scale))
                found[key] = tensor.to(torch.int64) if "int64" in e["dtype"] else tensor
        return found

    def stream(self, key: str, shape: Iterable[int], kind: str = "x") -> torch.Tensor:
        """An input of the goldens: kind x is of unit variance, s lies in [-1, 1)."""
        shape = tuple(shape)
        if kind == "s":
            return torch.from_numpy(self.rule.s_unit(f"input:{key}", int(np.prod(shape))).reshape(shape))
        return torch.from_numpy(self.rule.fill(f"input:{key}", shape, kind))


@pytest.fixture(scope="session")
def goldens(shared, detfill) -> Goldens:
    return Goldens(shared / "goldens" / "checkpoints", detfill)


class Measured:
    """What one check found: a line per comparison, told in the table at the end and, where BENCH_FULLSIZE names a file, added to it."""

    def __init__(self) -> None:
        self.seconds, self.mb, self.peak = 0.0, 0.0, 0.0

    @contextmanager
    def loading(self, *files: Path) -> Iterator[None]:
        """Time and memory of what is done inside."""
        Path("/proc/self/clear_refs").write_text("5")  # the highest mark of memory begins anew
        walked = [Path(place) / n for path in files for place, _, names in os.walk(path, followlinks=True) for n in names]
        self.mb = sum(f.stat().st_size for f in (*walked, *(p for p in files if p.is_file()))) / 1e6
        started = time.perf_counter()
        yield
        self.seconds = time.perf_counter() - started

    def close(self, what: str, found, said: np.ndarray, tolerance: float = 2e-4) -> None:
        found = found.detach().float().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
        difference = float(np.abs(found.reshape(said.shape).astype(np.float64) - said).max() / said.std())
        status = Path("/proc/self/status").read_text()
        self.peak = int(status.partition("VmHWM:")[2].split()[0]) / 1e3
        row = {"what": what, "difference": difference, "tolerance": tolerance, "file_mb": self.mb, "load_s": self.seconds,
               "peak_mb": self.peak}  # fmt: skip
        print("\n" + "  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{v}" for k, v in row.items()))
        ROWS.append(row)
        if KEPT:
            with open(KEPT, "a") as file:
                file.write(json.dumps(row) + "\n")
        assert difference < tolerance, what


@pytest.fixture
def measured() -> Iterator[Measured]:
    """One network at a time, in at most GIGABYTES of address space beyond what is mapped from files."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (GIGABYTES << 30, before[1]))
    yield Measured()
    resource.setrlimit(resource.RLIMIT_DATA, before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "fullsize" in str(item.path):
            item.add_marker(pytest.mark.fullsize)


def pytest_terminal_summary(terminalreporter) -> None:
    """The table of all comparisons, those of earlier runs in BENCH_FULLSIZE included."""
    rows = [json.loads(line) for line in Path(KEPT).read_text().splitlines()] if ROWS and KEPT else ROWS
    for line in table(rows):
        terminalreporter.write_line(line)


def table(rows: list[dict]) -> list[str]:
    """A line for each comparison. Memory is the process's highest since it began to read the file, the weights' included."""
    if not rows:
        return []
    told = [(r["what"], f"{r['difference']:.1e}", f"{r['tolerance']:.0e}", f"{r['file_mb']:,.0f}", f"{r['load_s']:.1f}",
             f"{r['peak_mb'] / 1e3:.1f}") for r in rows]  # fmt: skip
    told.insert(0, ("compared", "max difference / std", "tolerance", "file, MB", "load, s", "peak, GB"))
    widths = [max(map(len, column)) for column in zip(*told, strict=True)]
    lines = ["  ".join([t[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(t[1:], widths[1:], strict=True))]) for t in told]
    worst = max(r["difference"] / r["tolerance"] for r in rows)
    return [
        "",
        lines[0],
        "-" * len(lines[0]),
        *lines[1:],
        f"{len(rows)} comparisons; the nearest to its tolerance has used {worst:.0%} of it",
    ]
