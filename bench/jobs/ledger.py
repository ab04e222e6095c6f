"""Which job makes which artefact, and how far it is: files under `jobs/` of the results folder, each replaced whole."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.errors import Refused
from bench.shares import whose
from bench.store import write_json
from bench.sweep import Line


@dataclass(frozen=True)
class Entry:
    """The last job that was to make an artefact."""

    key: str
    words: list[str]
    reference: bool
    after: list[str]  # keys of the tasks that it waits for
    sweeps: list[str]  # that wait for it
    system: str  # slurm, local
    id: str  # Slurm's job id; process@host of the pool
    name: str  # Slurm's job name: ids begin again when a cluster is set up anew
    log: str
    submitted: float

    @property
    def line(self) -> Line:
        return Line(tuple(self.words), self.reference)


@dataclass(frozen=True)
class Ledger:
    """The jobs of one results folder."""

    results: Path
    shipped: tuple[Path, ...] = ()  # read-only stores that are looked into too

    @property
    def folder(self) -> Path:
        return self.results / "jobs"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def cache(self) -> Path:
        return self.results / "cache"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time looks at what is queued and adds to it."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            file = open(self.folder / ".lock", "a+")
        except OSError as error:
            raise Refused(
                f"cannot write to {self.folder}: {error.strerror}; choose another folder with machine.results=..."
            ) from error
        with file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            yield

    # ---- what was submitted

    def write(self, entry: Entry) -> None:
        """Keep `entry`; what an earlier job said of the artefact is forgotten."""
        self._state(entry.key).unlink(missing_ok=True)
        write_json(self.folder / f"{entry.key}.json", asdict(entry))

    def join(self, entry: Entry, sweep: str) -> None:
        """Note that `sweep` waits for a job that is queued already."""
        if sweep not in entry.sweeps:
            write_json(self.folder / f"{entry.key}.json", asdict(entry) | {"sweeps": [*entry.sweeps, sweep]})

    def entries(self) -> dict[str, Entry]:
        paths = (p for p in sorted(self.folder.glob("*.json")) if not p.name.endswith(".state.json"))
        return {p.stem: Entry(**json.loads(p.read_text())) for p in paths}

    def entry(self, key: str) -> Entry | None:
        path = self.folder / f"{key}.json"
        return Entry(**json.loads(path.read_text())) if path.exists() else None

    # ---- what the jobs say themselves

    def say(self, key: str, state: str, **more: Any) -> None:
        """What the job of `key` says of itself: running, done, failed, skipped, stopped, requeued, cancelled or killed."""
        told = {"state": state, "host": socket.gethostname(), "pid": os.getpid(), "job": os.environ.get("SLURM_JOB_ID", "")}
        write_json(self._state(key), told | {"when": time.time(), **more})

    def said(self, key: str) -> dict[str, Any]:
        path = self._state(key)
        return json.loads(path.read_text()) if path.exists() else {}

    def _state(self, key: str) -> Path:
        return self.folder / f"{key}.state.json"

    # ---- what is there

    def exists(self, key: str) -> bool:
        """Whether the artefact is there; of a share, whether its job is done or the artefact has been joined."""
        share = whose(key)
        if share:
            return self.said(key).get("state") == "done" or self.exists(share[0])
        return any((root / key).exists() for root in (self.cache, *self.shipped))

    def failed(self, key: str) -> dict[str, Any] | None:
        """What `.failed` beside the artefact's place says."""
        mark = self.cache / f"{key}.failed"
        return json.loads(mark.read_text()) if mark.exists() else None

    def forget(self, key: str) -> None:
        """Let `key` be tried again."""
        (self.cache / f"{key}.failed").unlink(missing_ok=True)
        self._state(key).unlink(missing_ok=True)

    def why(self, key: str) -> str:
        """Why `key` is not there although no job that would make it is left, in one line: the cause, not its consequences."""
        failed = self.failed(key)
        if failed is not None:
            return f"{key}: {failed['reason']}"
        said, entry = self.said(key), self.entry(key)
        if said.get("reason"):
            return said["reason"] if said["state"] == "skipped" else f"{key}: {said['reason']}"
        for before in entry.after if entry else ():
            if not self.exists(before):
                return self.why(before)
        if entry is None:
            return f"{key} was not made: no job was submitted; the same command submits it"
        job = f"its job {entry.id} ended without a word (killed, cancelled, out of memory or of time)"
        return f"{key} was not made: {job}; the same command goes on"

    def cause(self, key: str) -> str:
        """The traceback behind `why`, "" where there is none."""
        failed, entry = self.failed(key), self.entry(key)
        if failed is not None:
            return failed.get("traceback", "")
        return next((self.cause(k) for k in (entry.after if entry else ()) if not self.exists(k)), "")
