"""What a stage may know besides its inputs: where it runs, how to show progress, and whether it is asked to stop. Never part of a key."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.errors import Refused, Stopped
from bench.shares import Share

if TYPE_CHECKING:
    from torch.nn import Module

    from bench.data.base import Data

T = TypeVar("T")


def allotted_cores() -> int:
    """Cores this process may use: Slurm's allotment or the affinity mask, not the machine's count."""
    return _whole("SLURM_CPUS_PER_TASK") or len(os.sched_getaffinity(0))


def ranks() -> tuple[int, int]:
    """(rank, processes) of the torchrun that began this process; (0, 1) without one."""
    return _whole("RANK"), max(1, _whole("WORLD_SIZE"))


def _whole(variable: str) -> int:
    """The number in an environment variable; 0 where it is unset, empty or something else (OMP_NUM_THREADS may be a list)."""
    text = os.environ.get(variable, "").partition(",")[0].strip()
    return int(text) if text.isdigit() else 0


@dataclass
class Context:
    device: str = "cpu"
    workers: int = field(default_factory=allotted_cores)  # processes for decoding and rendering
    threads: int = 0  # torch threads; 0: the allotted cores, or OMP_NUM_THREADS where that is set
    rank: int = field(default_factory=lambda: ranks()[0])  # of torchrun's processes
    world: int = field(default_factory=lambda: ranks()[1])
    quiet: bool = False
    roots: dict[str, Path] = field(default_factory=dict)  # where data sets lie now, by the name of their clips artefact
    max_bad: dict[str, float] = field(default_factory=dict)  # share of their clips that may be unusable, by the same name
    save_s: float = 0.0  # seconds between checkpoints of a training; 0: the training's own
    micro_batch: int = 0  # clips per forward pass; 0: the whole batch
    compile: bool = False  # let torch.compile have the networks that steps are made of
    share: Share | None = None  # of the pieces of one artefact, where several processes make them
    networks: dict | None = None  # loaded for one artefact and kept for the next, by what they are; None: none are kept
    _stop: threading.Event = field(default_factory=threading.Event)

    def know(self, clips: str, data: Data) -> None:
        """Where the files of `data` lie now and how many may be bad: no part of the key of its artefact `clips`, so told beside it."""
        if root := getattr(data, "root", ""):
            self.roots[clips] = Path(root).expanduser().absolute()
        if (share := getattr(data, "max_bad", None)) is not None:
            self.max_bad[clips] = share

    def stop(self) -> None:
        """Ask whatever runs to save its state and end."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def check(self) -> None:
        """Call between steps, after a state that can be resumed: raises Stopped once somebody asked to stop."""
        if self._stop.is_set():
            raise Stopped("stopped on request")

    def kept(self, what: Hashable, load: Callable[[], T]) -> T:
        """The network `what`: loaded, or where networks are kept the one that was loaded before."""
        if self.networks is None:
            return load()
        if what not in self.networks:
            self.networks[what] = load()
        return self.networks[what]

    def torch(self):
        """torch, with this context's number of threads set: import it through here in stages."""
        import torch

        threads = self.threads or _whole("OMP_NUM_THREADS") or allotted_cores()
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return torch

    def compiled(self, *networks: Module | None) -> None:
        """Where `compile` is set, let torch.compile make code for `networks` when they are first called. Names of weights stay.

        Raises Refused where nothing can be compiled here.
        """
        if self.compile:
            from melqcd.compiling import NoCompiler, compile

            try:
                compile([net for net in networks if net is not None], self.device)
            except NoCompiler as error:
                raise Refused(f"machine.compile=on: {error}") from error

    def plainly(self, when: bool = True) -> AbstractContextManager:
        """Where compiled networks run as they were written: what is called too seldom for code of its own shape."""
        if not (self.compile and when):
            return nullcontext()
        from melqcd.compiling import plainly

        return plainly()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """SIGTERM, SIGUSR2 and the first Ctrl-C ask to stop; a second Ctrl-C interrupts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number, _frame):
            if number == signal.SIGINT and self._stop.is_set():
                raise KeyboardInterrupt
            self.stop()
            print("\nstopping at the next safe point ...", file=sys.stderr, flush=True)

        before = {s: signal.signal(s, ask) for s in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def track(self, items: Iterable[T], label: str, *, total: int | None = None, start: int = 0) -> Iterator[T]:
        """`items` with a progress bar on a terminal, one line per minute elsewhere; nothing for what ends within two seconds."""
        total = len(items) + start if total is None and hasattr(items, "__len__") else total  # type: ignore[arg-type]
        bar = Progress(label, total, start, quiet=self.quiet or self.rank > 0)
        try:
            for item in items:
                yield item
                bar.advance()
        finally:
            bar.close()

    def say(self, text: str) -> None:
        if not self.quiet and self.rank == 0:
            print(text, file=sys.stderr, flush=True)


class Progress:
    """One bar or one line a minute. `note` shows a value beside it (a loss)."""

    def __init__(self, label: str, total: int | None, start: int = 0, *, quiet: bool = False):
        self.label, self.total, self.done, self.first = label, total, start, start
        self.quiet, self.note = quiet, ""
        self.began = time.monotonic()
        self._said = self.began
        self._bar = None

    def advance(self, n: int = 1) -> None:
        self.done += n
        now = time.monotonic()
        if self.quiet or now - self.began < 2:
            return
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(total=self.total, initial=self.done, desc=self.label, leave=False, dynamic_ncols=True)
            else:
                self._bar.update(self.done - self._bar.n)
                if self.note:
                    self._bar.set_postfix_str(self.note, refresh=False)
        elif now - self._said >= 60:
            self._said = now
            rate = (self.done - self.first) / (now - self.began)
            left = f", {(self.total - self.done) / rate / 60:.1f} min left" if self.total and rate else ""
            whole = f"/{self.total}" if self.total else ""
            print(f"{self.label}: {self.done}{whole}, {rate:.2f}/s{left} {self.note}".rstrip(), file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
