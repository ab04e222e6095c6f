"""Fixtures for all: where the shared reference material lies, and one torch thread per worker."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """../shared beside the project: goldens, clips, specifications. Tests that need it skip without it."""
    if not (SHARED / "README.md").exists():
        pytest.skip(f"reference material is not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def detfill(shared):
    """The goldens' own module: deterministic weights and inputs by name. Nothing is written beside it."""
    folder = str(shared / "goldens" / "checkpoints")
    sys.path.insert(0, folder)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        import detfill
    finally:
        sys.path.remove(folder)
        sys.dont_write_bytecode = before
    return detfill


# ---- records that no run made: what reports are tested with ----------------------------------------------------------------------

METRICS = {"fid.lab": 50.0, "mkl.lab": 2.0, "class_acc.lab": 0.5, "w_dis.flux_lin": 0.4, "onset_acc.condfoley": 0.6}
CONTROLS = {
    "MelQCD": ({"bound": 1, "bands": 8, "temporal": "downsample", "frequency": "ds_repeat"}, 12.7, 2, 0.0),
    "Onset": ({"delta": 0.3}, 1.0, 0, 0.2),
    "Energy": ({}, 0.0, 1, 0.1),
    "LowRes": ({"bands": 8}, 0.0, 8, 0.01),
}
LOWER = ("fid", "mkl", "w_dis")


def _keep(
    folder, control, predicted="none", seed=0, *, kind="run", worse=None, clips=40, change=(), facts=(), status="done", ids=None
):
    """One record with its rows: values of METRICS made `worse` by that share, clip by clip, with a little noise of the seed."""
    settings, bits, reals, own = CONTROLS.get(control, ({}, 0.0, 0, 0.5))
    worse = own + (0.3 if predicted == "all" else 0) if worse is None else worse
    experiment = {
        "name": f"{control}, {predicted}", "control": {"is": control, **settings}, "data": {"is": "Lab", "test": clips},
        "scale": {"rate": 16000, "hop": 160}, "sampling": {"steps": 20, "seed": seed}, "judges": [{"is": "Sync"}, {"is": "Lab"}],
        "predictor": {"training": {"seed": seed}}, "controlnet": {"training": {"seed": seed}}, "slots": "video",
        "predicted": predicted, "prompt": "label", "split": "test", **dict(change),
    }  # fmt: skip
    from bench.identity import digest
    from bench.record import Record

    id = digest([(control, predicted, seed, kind, str(change), worse, clips, status)])
    noise, each = np.random.default_rng(seed), np.random.default_rng(7).normal(size=clips)
    scores, rows, without = {}, [], {}
    for metric, base in METRICS.items():
        sign = 1 if metric.startswith(LOWER) else -1
        values = base * (1 + sign * worse + 0.02 * each + 0.001 * noise.normal(size=clips))
        scores[metric] = {
            "value": float(values.mean()),
            "low": float(values.mean() * 0.9),
            "high": float(values.mean() * 1.1),
            "n": clips,
        }
        if metric.startswith("fid"):
            without[metric] = [float(np.delete(values, i).mean()) for i in range(clips)]
        else:
            rows += [(f"c{i}", 0, metric, v, "ok") for i, v in enumerate(values)]
    scores["js_div.flux_lin"] = {"value": None, "why": "no judge gives it"}
    told = {"bits_per_slot": bits, "reals_per_slot": reals, "clips_hash": f"list{clips}", **dict(facts)}
    record = Record(id, kind, status, [], experiment, scores if status == "done" else {}, told)
    table = pd.DataFrame(rows, columns=["clip", "sample", "metric", "value", "status"])
    record.write(folder, table if status == "done" else None, without if status == "done" else None)
    return id


@pytest.fixture(scope="session")
def keep():
    """`keep(folder, control, predicted, seed, ...)` writes a record and gives its id."""
    return _keep


SIGNALS = ("MelQCD", "Onset", "Energy", "LowRes")


@pytest.fixture
def results(tmp_path, keep):
    """Four signals, floor and ceilings, three seeds."""
    for seed in range(3):
        for control in SIGNALS:
            for predicted in ("none", "all"):
                keep(tmp_path, control, predicted, seed)
        keep(tmp_path, "NoControl", seed=seed, worse=0.6)
        keep(tmp_path, "Oracle", seed=seed, worse=-0.1)
    keep(tmp_path, "NoControl", kind="reference", worse=-0.2)
    return tmp_path
