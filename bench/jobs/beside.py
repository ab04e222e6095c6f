"""Several GPUs in one job: its process begins one more for each further GPU, and a training is shared among them (bench/ranks.py)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from bench.store import Store

PATIENCE_S = 60.0  # how long this process may take to notice by itself that another one has died


@contextmanager
def together(store: Store, processes: int, job: Sequence, failed: Callable[[str], None]) -> Iterator[Store]:
    """`store` as the first of `processes` that share a training; the others are begun here and run the same `job` (arguments of `work`).

    They end when the training does: where one is asked to stop, all stop behind the same step. failed: called with the reason where one of
    them died and this process still waits for it; then this one ends too.
    """
    there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(processes)}
    others: list[subprocess.Popen] = []
    before = {name: os.environ.get(name) for name in (*there, "RANK", "LOCAL_RANK")}
    done = threading.Event()
    device = "cuda:0" if store.ctx.device == "cuda" else store.ctx.device
    try:
        for rank in range(1, processes):
            others.append(_begun(job, {**there, "RANK": str(rank), "LOCAL_RANK": str(rank)}))
        os.environ.update({**there, "RANK": "0", "LOCAL_RANK": "0"})
        threading.Thread(target=_watch, args=(others, done, failed), daemon=True).start()
        yield replace(store, ctx=replace(store.ctx, rank=0, world=processes, device=device))
        from melqcd.processes import leave

        leave()
    finally:
        done.set()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        for other in others:
            _ended(other)


def _begun(job: Sequence, told: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "bench.jobs.work"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env={**os.environ, **told, "PYTHONSAFEPATH": "1"})
    assert process.stdin is not None
    json.dump(list(job), process.stdin)
    process.stdin.close()
    return process


def _watch(others: Sequence[subprocess.Popen], done: threading.Event, failed: Callable[[str], None]) -> None:
    """A process that waits for a dead one's gradients would wait for half an hour."""
    while not done.wait(1):
        dead = [(rank, p.returncode) for rank, p in enumerate(others, 1) if p.poll() is not None]
        if dead and not done.wait(PATIENCE_S):
            failed("; ".join(f"process {rank} of this training ended with exit status {code}" for rank, code in dead))
            sys.stderr.flush()
            os._exit(1)


def _ended(process: subprocess.Popen) -> None:
    """Wait a little for its own end, then ask, then make it."""
    for ask in (None, process.terminate, process.kill):
        if ask:
            ask()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
            return


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
