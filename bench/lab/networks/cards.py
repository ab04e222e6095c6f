"""The card beside each of the lab's networks: what it is, what it learnt from, how long that took and how well it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.store import packages, plain, write_json

if TYPE_CHECKING:
    from torch import nn

    from melqcd.training import Trained


def write_card(out: Path, what: str, model: nn.Module, recipe, pool: Path, trained: Trained, quality: dict[str, float]) -> None:
    """Write card.json. `quality` names each measure in words; `trained` tells steps, seconds and the curves."""
    import torch

    told = {
        "what": what,
        "parameters": sum(p.numel() for p in model.parameters()),
        "pool": pool.name,
        "recipe": plain(recipe),
        "steps": trained.step,
        "kept": trained.best,
        "seconds": round(trained.seconds, 1),
        "threads": torch.get_num_threads(),
        "quality": {name: round(float(value), 6) for name, value in quality.items()},
        "loss": [[step, round(value, 6)] for step, value in trained.history],
        "validation": [[step, round(value, 6)] for step, value in trained.validated],
        "packages": packages(),
    }
    write_json(out / "card.json", told)
