"""`bench lab ship`: what the first run of the lab needs trained, put beside the package as a read-only store under the same keys."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from bench import chain
from bench.experiment import Experiment
from bench.lab.build import install
from bench.store import Store
from bench.weights import SHIPPED
from controls import registry

STAGES = ("controlnet", "predictor")  # what takes minutes to train; all else is made on the spot
CONTROLS = ("melqcd", "oracle")


def ship(x: Experiment, store: Store, out: Path = SHIPPED) -> list[Path]:
    """Make the trained artefacts of CONTROLS where they do not exist and install them under `out`, weights in half precision.

    Their keys are those of `x` with the default settings of each control; earlier ones under `out` are removed.
    """
    wanted: dict[str, None] = {}
    for name in CONTROLS:
        chain.sound(replace(x, control=registry.load(name)()), store)
        wanted |= dict.fromkeys(a.key for a in store.asked if a.stage in STAGES)
    made = [store.need(store.root / key) for key in wanted]  # all of them before anything that is there is touched
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for path in made:
        install(path, out / path.name, whole=True)
    return [out / key for key in wanted]
