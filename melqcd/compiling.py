"""torch.compile for networks that are called thousands of times: optional, equal to rounding, and refused where it cannot work."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache

import torch
from torch import nn

BACKEND = "inductor"


class NoCompiler(ValueError):
    """Nothing can be compiled on this machine; the message says why and what to do."""


def compile(networks: Iterable[nn.Module], device: str) -> None:
    """Have each of `networks` compiled in place at its first call: it stays the module that it was, with the same names of weights.

    Raises NoCompiler, in one sentence, where a function of one line cannot be compiled for `device`.
    """
    can(torch.device(device).type, BACKEND)
    for net in networks:
        # each shape by itself: batches are of one size but for the last, and code for any shape is slower
        net.compile(backend=BACKEND, dynamic=False)


def plainly():
    """A context in which compiled networks work as they were written: for what is called too seldom to be compiled for."""
    return torch.compiler.set_stance("force_eager")


@cache
def can(kind: str, backend: str) -> None:
    """Try it once a process: which compilers, headers and drivers are needed is torch's to know."""
    logger = logging.getLogger("torch._inductor")
    before = logger.level
    logger.setLevel(logging.CRITICAL)  # its own account of a failure is a page; ours is a line
    try:
        torch.compile(_tried, backend=backend)(torch.ones(8, device=kind))
    except Exception as error:  # of any kind: a missing compiler, headers, triton, a driver that is too old
        lines = [line for line in str(error).strip().splitlines() if line.strip()] or [type(error).__name__]
        raise NoCompiler(
            f"torch.compile does not work here ({type(error).__name__}: {lines[0].strip()}); install a C++ compiler (g++) and on a GPU "
            "triton, or leave it off"
        ) from error
    finally:
        logger.setLevel(before)


def _tried(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x) + 1
