"""How an experiment becomes scores: each line makes one artefact from the ones above it. Nothing here reads a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench import stages
from bench.data.base import Data
from bench.experiment import Experiment
from bench.store import Store


def rooted(data: Data, store: Store) -> Data:
    """`data` with its files in place: a world that is rendered is rendered first."""
    return replace(data, root=str(store(stages.world, data))) if data.rendered else data  # type: ignore[call-arg]


def clips(data: Data, store: Store) -> Path:
    """The decoded clips of `data`."""
    return store(stages.clips, rooted(data, store))


def truth(x: Experiment, store: Store) -> Path:
    """The true control signals of all clips."""
    return store(stages.signals, x.control, x.scale, x.step, clips(x.data, store))
