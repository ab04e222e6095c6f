"""Two processes of one torchrun on a chain: they learn together what one learns alone, and make all else once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
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


@pytest.mark.slow  # the world of the test above once more, then jobs of two processes
def test_a_job_with_two_gpus_is_two_processes_that_stop_together_and_of_which_none_outlives_the_other(tmp_path):
    from runpy import run_path

    from bench.jobs.ledger import Ledger

    (tmp_path / "script.py").write_text(SCRIPT)
    learn = run_path(str(tmp_path / "script.py"))["learn"]
    results = tmp_path / "results"
    words = [*WORDS, "predictor.training.steps=400", f"machine.results={results}"]
    learn([*words, "predictor.training.steps=6"])  # all inputs of the longer training are there then
    from bench import chain
    from bench.cli import open_store
    from bench.settings import compose

    x, machine = compose(*words, site=False)
    store = open_store(machine)
    store.deferred = True
    key = chain.trained_predictor(x, chain.decoded(x.taught, store), store).name
    ledger = Ledger(results.resolve(), ())
    ledger.logs.mkdir(parents=True)
    slurm = [*words, "machine=slurm", "machine.gpus=2", "machine.save=1"]

    def begun() -> subprocess.Popen:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")} | {"OMP_NUM_THREADS": "1"}
        job = subprocess.Popen([sys.executable, "-m", "bench.jobs.work"], stdin=subprocess.PIPE, text=True, env=environment)
        with job.stdin as pipe:
            json.dump([str(results.resolve()), key, slurm, False], pipe)
        return job

    def once_training(job: subprocess.Popen) -> int:
        """The process beside `job`, when a checkpoint is written."""
        part, began, end = results / "cache" / f"{key}.part", time.time(), time.monotonic() + 120
        while not (part.is_dir() and any(p.stat().st_mtime > began for p in part.iterdir())):
            assert job.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        (other,) = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
        return int(other)

    def gone(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
        except FileNotFoundError:
            return True

    job = begun()
    other = once_training(job)
    job.send_signal(signal.SIGUSR2)
    assert job.wait(60) == 130
    assert ledger.said(key)["state"] == "stopped" and gone(other)
    job = begun()
    os.kill(once_training(job), signal.SIGKILL)
    assert job.wait(120) != 0
    assert ledger.said(key)["state"] == "failed"
    ledger.forget(key)
    assert begun().wait(240) == 0
    assert (results / "cache" / key / "made.json").is_file() and ledger.said(key)["state"] == "done"
    assert not list((results / "cache").glob("*.part"))
