"""Worker processes that survive what they work on: a file that kills its decoder costs that job alone."""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import wait
from typing import IO, Any


@dataclass(frozen=True)
class Crashed:
    """Stands for the result of a job whose process died."""

    code: int  # exit status; minus the signal's number where one ended it

    def __str__(self) -> str:
        name = signal.Signals(-self.code).name if self.code < 0 else f"exit status {self.code}"
        return f"its decoder crashed ({name})"


def spread(place: str, jobs: Iterable, *, workers: int, ahead: bool = False) -> Generator[tuple[Any, Any], None, None]:
    """(job, what `place` made of it) for every job, in the order in which they end; one job at a time in each of `workers` processes.

    place: "module:function" of one argument; jobs and results are pickled. A job whose process dies yields `Crashed`, and the rest
    go on in a new process. ahead: all work on while the caller looks at a result. An exception of the function is raised here. Closing
    the iterator ends the processes; so does our own death, as their input closes. They are plain interpreters: nothing of `__main__`
    is run again, and signals are ours to handle.
    """
    queue = iter(jobs)
    busy: dict[int, tuple[subprocess.Popen, Any]] = {}  # by the file descriptor that the result comes from
    idle: list[subprocess.Popen] = []

    def fill() -> None:
        while len(busy) < max(1, workers):
            try:
                job = next(queue)
            except StopIteration:
                return
            process = idle.pop() if idle else _start(place)
            _send(process.stdin, job)
            busy[process.stdout.fileno()] = (process, job)  # type: ignore[union-attr]

    try:
        while True:
            fill()
            if not busy:
                return
            for at in wait(list(busy)):
                process, job = busy.pop(at)  # type: ignore[arg-type]
                try:
                    fine, result = _receive(process.stdout)
                except EOFError:
                    code = process.wait()
                    _close(process)
                    yield job, Crashed(code)
                    continue
                idle.append(process)
                if not fine:
                    raise result
                if ahead:
                    fill()
                yield job, result
    finally:
        for process in [*idle, *(p for p, _ in busy.values())]:
            _close(process)


def serve() -> None:
    """A worker's life: jobs from standard input, results to what was standard output, until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):  # the parent decides what these mean
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints does not spoil an answer
    module, _, name = sys.argv[1].partition(":")
    function = getattr(import_module(module), name)
    while True:
        try:
            job = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = (True, function(job))
        except Exception as error:
            error.add_note(f"in worker process {os.getpid()}, {sys.argv[1]}")
            answer = (False, error)
        _send(answers, answer)


def _start(place: str) -> subprocess.Popen:
    begin = f"import sys; sys.path[:] = {sys.path!r}; from bench.workers import serve; serve()"
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # as many processes as cores, one thread in each
    return subprocess.Popen(
        [sys.executable, "-c", begin, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **threads}
    )


def _send(pipe: IO | None, value: Any) -> None:
    body = pickle.dumps(value)
    with suppress(BrokenPipeError):  # the other side is gone: the reader there, or here, sees the end of the stream
        pipe.write(struct.pack("<q", len(body)))  # type: ignore[union-attr]
        pipe.write(body)  # type: ignore[union-attr]
        pipe.flush()  # type: ignore[union-attr]


def _receive(pipe) -> Any:
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    (size,) = struct.unpack("<q", head)
    body = pipe.read(size)
    if len(body) < size:
        raise EOFError
    return pickle.loads(body)


def _close(process: subprocess.Popen) -> None:
    with suppress(BrokenPipeError):
        process.stdin.close()  # type: ignore[union-attr]
    process.kill()
    process.wait()
    process.stdout.close()  # type: ignore[union-attr]
