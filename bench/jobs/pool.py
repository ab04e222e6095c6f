"""`machine=local`: the missing artefacts of a sweep in a bounded pool of processes; the same jobs as on a cluster."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.context import Context
from bench.errors import Stopped
from bench.jobs.ledger import Entry, Ledger
from bench.jobs.machines import Local
from bench.jobs.tasks import Task
from bench.shares import whose

POLL_S = 0.1  # between looks at the processes


@dataclass
class Pool:
    """At most `machine.jobs` artefacts at a time, each in a process of its own, so that one that dies takes no other with it."""

    machine: Local
    ledger: Ledger
    ctx: Context
    sweep: str  # its id
    made: int = 0
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def run(self, tasks: Mapping[str, Task]) -> None:
        """Make the tasks, each after those it waits for have ended. Raises Stopped once asked to stop, when the processes have saved."""
        for task in tasks.values():
            self.ledger.write(self._entry(task))
        left, total = dict(tasks), len(tasks)
        try:
            while left or self.running:
                self.ctx.check()
                for task in list(left.values()):
                    if len(self.running) >= self.machine.jobs:
                        break
                    if not any(key in left or key in self.running for key in task.after):
                        del left[task.key]
                        self._start(task, total - len(left), total)
                self._reap()
                time.sleep(POLL_S)
        except Stopped:
            for process in self.running.values():
                process.send_signal(signal.SIGTERM)
            while self.running:
                self._reap()
                time.sleep(POLL_S)
            raise

    def _start(self, task: Task, number: int, total: int) -> None:
        missing = [key for key in task.after if not whose(key) and not self.ledger.exists(key)]
        if missing:  # no process is needed to find that out
            why = self.ledger.why(missing[0])
            self.ledger.say(task.key, "skipped", reason=why)
            print(f"[{number}/{total}] {task.key}: skipped", flush=True)
            return
        log = self.ledger.logs / f"{task.key}.log"
        with open(log, "ab") as out:
            # -P: a folder called bench in the working directory would be taken for this package
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.jobs.work"], stdin=subprocess.PIPE, stdout=out, stderr=out
            )
        job = [str(self.ledger.results), task.key, list(task.line.words), task.line.reference]
        try:
            with process.stdin as pipe:  # type: ignore[union-attr]
                pipe.write(json.dumps(job).encode())
        except BrokenPipeError:  # it ended at once: its log says why
            print(f"[{number}/{total}] {task.key}: could not begin, see {log}", file=sys.stderr, flush=True)
        self.running[task.key] = process
        print(f"[{number}/{total}] {task.key}: started", flush=True)

    def _reap(self) -> None:
        for key, process in list(self.running.items()):
            if process.poll() is None:
                continue
            del self.running[key]
            if self.ledger.exists(key):
                self.made += not whose(key)
                print(f"{key}: made", flush=True)
                continue
            said = self.ledger.said(key)
            if said.get("state") in (None, "running"):  # it had no time to say so itself
                code = process.returncode
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
                self.ledger.say(key, "killed", reason=f"its process {how}; the same command goes on")
            print(f"{key}: {self.ledger.said(key)['state']}: {self.ledger.why(key)}", flush=True)

    def _entry(self, task: Task) -> Entry:
        line, key = task.line, task.key
        here = f"{os.getpid()}@{socket.gethostname()}"
        log = str(self.ledger.logs / f"{key}.log")
        return Entry(key, list(line.words), line.reference, list(task.after), [self.sweep], "local", here, key, log, time.time())


def alive(id: str) -> bool:
    """Whether the pool `process@host` is there; of another host nothing is known, and it is taken to be."""
    pid, _, host = id.partition("@")
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
