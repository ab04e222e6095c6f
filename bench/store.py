"""Make each artefact once: a folder whose name is the digest of exactly what it was made from.

Right without any lock, because files are replaced whole and renames are atomic; the lock only saves work (architecture, Protocol).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.context import Context
from bench.errors import Failed, Refused, Stopped
from bench.identity import digest, folders, plain
from bench.lock import alone
from bench.shares import Share


@dataclass(frozen=True)
class Stage:
    """`make(out, part, ctx, *parts)` under a name; the code is imported when it is first run.

    out: an empty private folder for the product. part: the folder of checkpoints, each one file, shared by all attempts.
    Raise `version` when the product of equal inputs changes; tests/test_stages.py holds the products.
    shared: "module:function" of the first half of `make`, without `out`: pieces in `part` that several processes can make (bench/shares.py).
    """

    name: str
    place: str  # "module:function"
    version: int = 1
    joint: bool = False  # a training, which all processes of one torchrun work at
    shared: str = ""

    def __call__(self, out: Path, part: Path, ctx: Context, *parts) -> None:
        _called(self.place)(out, part, ctx, *parts)


@dataclass(frozen=True)
class Asked:
    """One artefact that a chain uses."""

    stage: str
    key: str
    path: Path
    parts: tuple[str, ...]  # names of the artefacts it is made from
    exists: bool


@dataclass
class Store:
    """dry: make nothing; `asked` then lists what would be used, in order.

    deferred: a call makes nothing yet either; `need` then makes one artefact and, of those it is made from, only what is lacking.
    shipped: read-only stores that are looked into too, under the same keys.
    """

    root: Path
    ctx: Context = field(default_factory=Context)
    dry: bool = False
    deferred: bool = False
    shipped: tuple[Path, ...] = ()
    asked: list[Asked] = field(default_factory=list)
    made: list[str] = field(default_factory=list)  # names of what this store had to make
    known: dict[str, tuple[Stage, tuple]] = field(default_factory=dict)  # how each artefact that was asked for is made

    def __call__(self, stage: Stage, *parts) -> Path:
        """The folder in which `stage` has written its product, made now if it is not there yet.

        parts: settings (frozen dataclasses, numbers, strings, None, tuples of these) and folders that a store returned before.
        Raises Failed naming the artefact if its stage raises, or if it failed before and was not cleared.
        """
        name = f"{stage.name}-{digest(['stage', stage.name, stage.version, *parts])}"
        final = self.find(name)
        self.known[name] = (stage, parts)
        self.asked.append(Asked(stage.name, name, final, tuple(p.name for p in self._inputs(name)), final.exists()))
        if self.dry or self.deferred or final.exists():
            return final
        return self._made(name)

    def need(self, folder: Path) -> Path:
        """`folder`, which a deferred call returned, in place: made now, after those of its inputs that are lacking."""
        for name in self.lacking(folder):
            self._made(name)
        return folder

    def share(self, folder: Path, number: int, of: int) -> None:
        """Make pieces of the artefact `folder`, whose inputs are there: the `number`th of `of` shares first, then what others left.

        Returns when nobody has to begin another piece; `need` joins them, and makes those of processes that died.
        """
        stage, parts = self.known[folder.name]
        final, part = self.root / folder.name, self.root / f"{folder.name}.part"
        if self.find(folder.name).exists():
            return
        part.mkdir(parents=True, exist_ok=True)
        self.ctx.say(f"making share {number + 1} of {of} of {folder.name}")
        try:
            _called(stage.shared)(part, replace(self.ctx, share=Share(number, of, final)), *parts)
        except OSError:
            if not final.exists():  # else it was joined, and its pieces cleared away, while we looked at them
                raise
        if final.exists():
            shutil.rmtree(part, ignore_errors=True)

    def lacking(self, *folders: Path) -> list[str]:
        """Names of what has to be made before all of `folders` are there, in the order of making; what exists needs no inputs."""
        found: dict[str, None] = {}

        def visit(folder: Path) -> None:
            name = folder.name
            if name in found or name not in self.known or self.find(name).exists():
                return
            for part in self._inputs(name):
                visit(part)
            found[name] = None

        for folder in folders:
            visit(folder)
        return list(found)

    def _inputs(self, name: str) -> list[Path]:
        """The artefacts that `name` is made from."""
        return [p for part in self.known[name][1] for p in folders(part)]

    def _made(self, name: str) -> Path:
        stage, parts = self.known[name]
        if self.ctx.world > 1 and stage.joint:
            from bench.ranks import together

            return together(self, name, stage, parts)
        return self.alone(name, stage, parts)

    def find(self, name: str) -> Path:
        """Where artefact `name` lies or would be made."""
        for root in (self.root, *self.shipped):
            if (root / name).exists():
                return root / name
        return self.root / name

    def forget_failures(self) -> None:
        """Clear `.failed` marks: a new sweep tries again."""
        for mark in self.root.glob("*.failed"):
            mark.unlink(missing_ok=True)

    def alone(self, name: str, stage: Stage, parts) -> Path:
        """The artefact `name`, made by this process or by another that was first."""
        final, part = self.root / name, self.root / f"{name}.part"
        mark = self.root / f"{name}.failed"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock_file = open(self.root / f".{name}.lock", "a+")
        except OSError as error:
            raise Refused(
                f"cannot write to {self.root}: {error.strerror}; choose another folder with machine.results=..."
            ) from error
        with lock_file:
            if not alone(lock_file, final, self.ctx):
                return final  # made while we waited
            if mark.exists():
                raise Failed(f"{name} failed before: {json.loads(mark.read_text())['reason']} (remove {mark} to try again)")
            part.mkdir(exist_ok=True)
            out = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self.root))
            began = time.perf_counter()
            try:
                self.ctx.say(f"making {name}")
                stage(out, part, self.ctx, *parts)
                _write_made(out, stage, parts, self.ctx, time.perf_counter() - began)
                os.chmod(out, 0o755)
                os.rename(out, final)
                self.made.append(name)
                shutil.rmtree(part, ignore_errors=True)
            except (Stopped, KeyboardInterrupt):
                raise
            except OSError as error:
                if final.exists():  # another one finished first, where locks do not hold
                    return final
                raise _failure(mark, name, error) from error
            except Exception as error:
                raise _failure(mark, name, error) from error
            finally:
                shutil.rmtree(out, ignore_errors=True)
        return final


def _called(place: str) -> Callable:
    module, _, function = place.partition(":")
    return getattr(import_module(module), function)


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """`write(draft)` beside `path`, then put the draft in its place: a reader sees the old file or the new one, whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(draft)
        with open(draft, "rb") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_json(path: Path, value) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    replace_file(path, lambda draft: draft.write_text(text))


def _failure(mark: Path, name: str, error: BaseException) -> BaseException:
    """Leave `.failed` so that dependents stop within this sweep; what the caller should raise."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    tail = traceback.format_exception(error)[-12:]
    try:
        write_json(mark, {"reason": reason, "traceback": "".join(tail)})
    except OSError as full:
        reason += f" (and {mark.name} could not be written: {full.strerror})"
    if isinstance(error, (Refused, Failed)):
        return error
    return Failed(f"{name}: {reason}")


def _write_made(out: Path, stage: Stage, parts, ctx: Context, seconds: float) -> None:
    files = sorted(p for p in out.rglob("*") if p.is_file())
    told = {
        "stage": stage.name,
        "version": stage.version,
        "inputs": [p.name if isinstance(p, Path) else plain(p) for p in parts],
        "files": {str(p.relative_to(out)): p.stat().st_size for p in files},
        "seconds": round(seconds, 3),
        "device": ctx.device,
        "python": platform.python_version(),
        "packages": packages(),
        "host": platform.machine(),
        "cores": ctx.workers,
    }
    write_json(out / "made.json", told)


@cache
def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("melqcd-bench", "torch", "diffusers", "transformers", "numpy", "scipy", "pandas", "av", "soxr"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def packages() -> dict[str, str]:
    return dict(_versions())
