"""What each stage makes of the same small input, held as numbers: a key does not notice an edited function, these do.

If a change is meant, raise the stage's version in bench/artefacts.py and write the numbers anew: `python tests/test_stages.py`.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from bench import artefacts, chain
from bench.context import Context
from bench.ragged import Ragged
from bench.settings import component
from bench.stages.degrade import Kind
from bench.store import Stage, Store
from melqcd.mel import Lab as Scale

GOLDEN = Path(__file__).parent / "golden" / "stages.json"
TOLERANCE = 2e-3  # relative; encoders of other FFmpeg builds differ by less, a changed formula by more


def products(root: Path) -> dict[str, dict]:
    """{stage: {"version": ..., name: number}} on two test and three training clips of the lab."""
    store = Store(root / "cache", Context(quiet=True, workers=1, threads=1))
    data, scale, sync = component("data", "lab", "test=2", "train=3"), Scale(), component("judges", "sync")
    found: dict[str, dict] = {}
    rooted = chain.rooted(data, store)
    truth = json.loads((Path(rooted.root) / "truth.json").read_text())
    found["world"] = {
        "onsets": sum(sum(t["onsets"]) for t in truth.values()),
        "energies": sum(sum(t["energies"]) for t in truth.values()),
    }
    clips = chain.decoded(data, store)
    wave, times = Ragged(clips, "wave"), Ragged(clips, "times")
    found["clips"] = {"samples": len(wave.rows), "level": np.abs(wave.rows).mean(), "times": times.rows.sum()}
    for name in ("melqcd", "onset", "energy", "lowres", "oracle"):
        folder = store(artefacts.signals, component("control", name), scale, 4, clips)
        arrays = json.loads((folder / "signal.json").read_text())["arrays"]
        found[f"signals {name}"] = {a: np.abs(Ragged(folder, a).rows.astype(np.float64)).mean() for a in arrays}
        if name in ("melqcd", "onset"):
            told = json.loads((store(artefacts.cost, component("control", name), folder, clips) / "cost.json").read_text())
            found[f"cost {name}"] = {"entropy": told["entropy_per_slot"], "slots": told["slots"]}
    kinds: tuple[Kind, ...] = ("noise", "late", "swapped")
    for kind in kinds:
        sound = store(artefacts.degrade, kind, "test", clips)
        heard, real = store(artefacts.judge, sync, sound, "test"), store(artefacts.judge, sync, clips, "test")
        pairs = store(artefacts.pairs, (heard,), (real,))
        scores = store(artefacts.score, (heard,), (real,), clips, pairs)
        told = json.loads((scores / "scores.json").read_text())
        found[f"degraded {kind}"] = {"odf": Ragged(heard, "odf.flux_lin").rows.mean()}
        found[f"score {kind}"] = {m: told[m]["value"] for m in ("onset_acc.condfoley", "w_dis.flux_lin", "js_div.flux_lin")}
    for name, numbers in found.items():
        stage = {"degraded": "degrade"}.get(name.split()[0], name.split()[0])
        numbers["version"] = getattr(artefacts, stage).version
    return json.loads(json.dumps(found, default=float))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return products(tmp_path_factory.mktemp("stages"))


@pytest.mark.parametrize("name", json.loads(GOLDEN.read_text()) if GOLDEN.exists() else [])
def test_a_stage_makes_what_its_version_made(found, name):
    golden = json.loads(GOLDEN.read_text())[name]
    assert found[name] == pytest.approx(golden, rel=TOLERANCE, abs=1e-6)


def test_every_stage_of_the_chain_names_code_that_exists():
    from importlib import import_module

    for stage in (s for s in vars(artefacts).values() if isinstance(s, Stage)):
        module, _, function = stage.place.partition(":")
        assert callable(getattr(import_module(module), function)), stage.name


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(json.dumps(products(Path(folder)), indent=1) + "\n")
    print(f"wrote {GOLDEN}", file=sys.stderr)
