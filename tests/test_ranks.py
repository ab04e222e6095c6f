"""Two processes of one torchrun on a chain: they learn together what one learns alone, and make all else once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parent.parent
TRAININGS = ("controlnet", "predictor", "inversion")
WORDS = (
    "control=melqcd", "inversion=adapter", "data.test=2", "data.train=5",
    # dropout is drawn in each process, so without it: what is learnt is then the same to rounding
    "predictor.dropout=0", "predictor.training.steps=6", "predictor.training.batch=4", "inversion.dropout=0",
    "inversion.training.steps=2", "inversion.training.batch=4", "controlnet.training.steps=2", "controlnet.training.batch=4",
    "machine.workers=1", "machine.threads=1", "machine.shipped=off",
)  # fmt: skip
SCRIPT = """
from pathlib import Path
import sys
from bench import chain
from bench.cli import open_store
from bench.ranks import spoken_by_one
from bench.settings import compose

def learn(words):
    x, machine = compose(*words, site=False)
    store = open_store(machine)
    taught = chain.decoded(x.taught, store)
    return store, (chain.controlnet(x, taught, store), chain.trained_predictor(x, taught, store), chain.pseudo_words(x, taught, store)[1])

if __name__ == "__main__":
    with spoken_by_one():
        store, made = learn(sys.argv[1:])
        print("rank", store.ctx.rank, "of", store.ctx.world, "made", sorted(n.partition("-")[0] for n in store.made))
"""


def torchrun(folder: Path, *words: str) -> subprocess.CompletedProcess:
    # restarts: see tests/test_training.py
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts", "3", "--nproc-per-node", "2", *words]
    return subprocess.run(
        run,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=folder,
        text=True,
        capture_output=True,
    )


def weights(results: Path) -> dict:
    found = {}
    for name in TRAININGS:
        (file,) = (results / "cache").glob(f"{name}-*/*.safetensors")
        found |= {f"{name} {k}": v for k, v in load_file(file).items()}
    return found


@pytest.mark.slow  # three processes that import torch and render a world
def test_two_processes_learn_every_network_as_one_does(tmp_path):
    from runpy import run_path

    (tmp_path / "script.py").write_text(SCRIPT)
    alone, pair = tmp_path / "alone", tmp_path / "pair"
    learn = run_path(str(tmp_path / "script.py"))["learn"]
    learn([*WORDS, f"machine.results={alone}"])
    shutil.copytree(alone, pair)
    for name in TRAININGS:
        (folder,) = (pair / "cache").glob(f"{name}-*")
        shutil.rmtree(folder)
    said = torchrun(tmp_path, "script.py", *WORDS, f"machine.results={pair}")
    assert said.stdout.strip().endswith(f"rank 0 of 2 made {sorted(TRAININGS)}")
    one, two = weights(alone), weights(pair)
    assert one.keys() == two.keys()
    for k in one:  # sums of gradients in another order; found 1e-5 apart at most, where AdamW divides small by small
        torch.testing.assert_close(one[k], two[k], rtol=0, atol=5e-5, msg=lambda said, k=k: f"{k}: {said}")
    told = json.loads(next((pair / "cache").glob("controlnet-*/training.json")).read_text())
    assert told["steps"] == 2
    assert not list((pair / "cache").glob("*.part")) and not list((pair / "cache").glob("*.failed"))
