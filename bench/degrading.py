"""`bench degrade`: a few lab clips, their sound degraded in known ways and scored against the original. Needs no trained network."""

from __future__ import annotations

import json
from pathlib import Path

from bench import artefacts, chain
from bench.data.lab import WORLD
from bench.experiment import Experiment
from bench.score_table import print_scored
from bench.scoring import Scored, System, compare
from bench.store import Store

KINDS = {"the same": "same", "noise at -20 dB": "noise", "0.2 s late": "late", "another clip's": "swapped"}


def degrading(x: Experiment, store: Store) -> None:
    """Print the table of KINDS, each a system whose right answers are known."""
    clips = chain.decoded(x.data, store)
    systems = []
    for name, kind in KINDS.items():
        folder = chain.scored(x, store(artefacts.degrade, kind, x.split, clips), store)
        systems.append(opened(name, folder))
    print_scored(
        Scored(
            systems,
            compare(systems[:1] + systems[2:]),
            systems[0].rows()["clip"].nunique(),
            [WORLD, f"Sounds under {store.root}."],
        )
    )


def opened(name: str, folder: Path) -> System:
    return System(name, json.loads((folder / "scores.json").read_text()), folder)
