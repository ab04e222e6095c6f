"""Whether the worker of a trial is still there. Optuna's heartbeat exists for databases alone; this one is kept in the trial itself.

A worker writes its name into its trial and counts up beside it. Whoever runs on the same machine looks for its process; others watch the
count and give it up when it stands still for as long as its worker said it may. No clock is compared with another machine's.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.trial import FrozenTrial, Trial

ATTRIBUTE = "worker"


@dataclass(frozen=True)
class Worker:
    """This process. lease_s: seconds without a sign of life after which others may give up its trial; five signs fall into it."""

    lease_s: float = 300.0

    def sign(self, beat: int) -> dict[str, Any]:
        return {"host": socket.gethostname(), "at": _place(), "pid": os.getpid(), "since": _since(os.getpid()),
                "lease_s": self.lease_s, "beat": beat}  # fmt: skip

    @contextmanager
    def holding(self, trial: Trial) -> Iterator[None]:
        """Signs of life for `trial` while the body runs."""
        over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(trial, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _beat(self, trial: Trial, over: threading.Event) -> None:
        from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError

        beat = 0
        while not over.wait(self.lease_s / 5):
            beat += 1
            try:
                trial.set_user_attr(ATTRIBUTE, self.sign(beat))
            except UpdateFinishedTrialError:
                return  # given up by others: what this worker tells of it will not be heard
            except StorageInternalError:
                continue  # a database that is away for a while; if for longer than the lease, others take over


@dataclass
class Watch:
    """What was seen of other workers. patience_s: for a trial whose worker died before it could say who it is."""

    patience_s: float = 300.0
    seen: dict[int, tuple[Any, float]] = field(default_factory=dict)  # per trial its last sign, and when it was first seen here

    def lost(self, trial: FrozenTrial) -> bool:
        """Whether the worker of a running trial is gone for good."""
        sign = trial.user_attrs.get(ATTRIBUTE) or {}
        if sign.get("at") == _place():
            return sign["since"] != _since(sign["pid"])
        beat, since = self.seen.get(trial.number, (None, 0.0))
        if trial.number not in self.seen or beat != sign.get("beat"):
            self.seen[trial.number] = (sign.get("beat"), time.monotonic())
            return False
        return time.monotonic() - since > sign.get("lease_s", self.patience_s)


@cache
def _place() -> str:
    """Equal for processes that see the same process numbers; one of its own where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return uuid4().hex


def _since(pid: int) -> str:
    """When process `pid` began, as the kernel counts; empty where there is none, or only what is left of one."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # the name before may hold anything
    except OSError:
        return ""
    return "" if told[0] in "ZX" else told[19]
