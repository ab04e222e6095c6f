"""Sweeps on a real Slurm: killed, requeued, cancelled, out of time, two at once; their records equal those of an undisturbed run."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from slurm_shell import PATIENCE_S, bench, calmly, checkpoint, command, environment, jobs, put, queued, running, said, told, until

from melqcd.settings import ControlNet

pytestmark = pytest.mark.slow

SWEEPS = {
    "mini": """
runs:
  - control=onset predicted=none controlnet.training.steps=600
  - control=onset predicted=none controlnet.training.steps=600 controlnet.training.lr=1e30
  - control=none predicted=none
""",
    "left": "runs: ['control=none predicted=none sampling.seed=1,2']",
    "right": "runs: ['control=none predicted=none sampling.seed=2']\nreferences: [control=none]",
    "gone": "runs: ['control=none predicted=none sampling.seed=3']",
    "many": "runs: ['control=none predicted=none prompt=generic data=folder data.root=sounds machine.shards=3']",
    "long": "runs: ['control=onset predicted=none controlnet.training.steps=100000']",
    "often": "runs: ['control=onset predicted=none controlnet.training.steps=90000']",
}
LR = ControlNet().training.lr  # of what the sweep does not say


@pytest.fixture(scope="module")
def lab(cluster, tmp_path_factory):
    """A folder with the sweeps, and the site's words for this cluster; its tests follow one another and share artefacts."""
    folder = put(tmp_path_factory.mktemp("lab"), SWEEPS)
    (folder / "bench").mkdir()  # as in a checkout of something else: jobs must not take it for the package
    (folder / "bench" / "__init__.py").write_text("raise RuntimeError('not this one')")
    return folder


def training(lab: Path, word: str, without: str = "-") -> dict:
    """The job of the ControlNet whose words hold `word` and not `without`."""
    found = [j for k, j in jobs(lab).items() if k.startswith("controlnet-") and word in j["words"] and without not in j["words"]]
    assert len(found) == 1
    return found[0]


def records(lab: Path, results: str = "results") -> dict[tuple, dict]:
    """Records by what tells the runs of `mini` apart."""
    found = [json.loads(p.read_text()) for p in (lab / results).glob("*.json")]
    return {(r["experiment"]["name"], r["experiment"]["controlnet"]["training"]["lr"]): r for r in found}


def test_a_sweep_that_is_stopped_killed_and_run_again_ends_like_an_undisturbed_one(lab):
    # the shell that submits is killed as soon as the sweep returns
    shell = subprocess.Popen(
        ["bash", "-c", f"{' '.join(command('sweep', 'mini'))} > said.txt 2>&1; sleep 1000"],
        cwd=lab,
        env=environment(),
        start_new_session=True,
    )
    until(
        lambda: "jobs submitted now" in (lab / "said.txt").read_text() if (lab / "said.txt").exists() else False,
        "a sweep returns",
    )
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()
    first = (lab / "said.txt").read_text()
    ids = re.findall(r"^(\S+)  \w+-\w+$", first, re.MULTILINE)
    assert {"0", "1", "2"} >= {i.partition("_")[2] for i in ids if "_" in i} != set()  # arrays within MaxArraySize=3
    assert "0 queued before" in first
    assert ", 0 queued before" not in bench(lab, "sweep", "mini") and set(queued()) <= set(ids) | {
        jobs(lab)[f"records-{sweep_id(lab)}"]["id"]
    }

    job = training(lab, "controlnet.training.steps=600", "controlnet.training.lr=1e30")
    key = job["key"]
    until(lambda: running(lab, key, 0), "training")
    told("scancel", "--signal=TERM", job["id"])
    until(lambda: running(lab, key, 1), "training again after SIGTERM")
    told("scontrol", "requeue", job["id"])
    until(lambda: running(lab, key, 2), "training again after scontrol requeue")
    # not by scancel: Slurm makes SIGKILL a cancelling, whose SIGTERM comes first, and a quick job then says that it was cancelled
    os.kill(said(lab, key)["pid"], signal.SIGKILL)
    until(lambda: not queued(), "the end of all jobs")
    assert checkpoint(lab, key).exists() and not (lab / "results" / "cache" / key).exists()
    assert not (lab / "results" / "cache" / f"{key}.failed").exists()

    # the last job has kept what there is: the floor, and why the others have no scores
    found = records(lab)
    assert {k: r["status"] for k, r in found.items()} == {
        ("onset, true hints", LR): "failed", ("onset, true hints", 1e30): "failed", ("none", LR): "done",
    }  # fmt: skip
    assert "without a word" in found["onset, true hints", LR]["facts"]["reason"]
    assert "Diverged" in found["onset, true hints", 1e30]["facts"]["reason"]
    assert "Traceback" in found["onset, true hints", 1e30]["facts"]["traceback"]
    bad = training(lab, "controlnet.training.lr=1e30")["key"]
    assert "Diverged" in json.loads((lab / "results" / "cache" / f"{bad}.failed").read_text())["reason"]
    status = bench(lab, "status", "mini")
    assert f"lost      {key}" in status and f"failed    {bad}" in status and "skipped" in status and "gap" in status
    assert "Diverged" in bench(lab, "logs", bad)

    # the same command makes what is missing: two trainings and what hangs on them, nothing else
    before = {p.name for p in (lab / "results" / "cache").iterdir() if p.is_dir() and p.suffix != ".part"}
    again = re.findall(r"^\S+  (\w+-\w+)$", bench(lab, "sweep", "mini"), re.MULTILINE)
    assert key in again and bad in again and not before & set(again)
    until(lambda: not queued(), "the end of all jobs")
    assert {k: r["status"] for k, r in records(lab).items()} == {
        ("onset, true hints", LR): "done", ("onset, true hints", 1e30): "failed", ("none", LR): "done",
    }  # fmt: skip

    # undisturbed, in one process, from the same clips and signals
    calmly(lab)
    bench(lab, "sweep", "mini", "machine=here", "machine.results=calm", status=1)
    calm, disturbed = records(lab, "calm"), records(lab)
    assert calm.keys() == disturbed.keys()
    for which, record in calm.items():
        assert record["id"] == disturbed[which]["id"]
        assert record["scores"] == disturbed[which]["scores"]
        if record["status"] == "done":
            assert record["facts"] == disturbed[which]["facts"]
        else:  # after the semicolon stands which checkpoint there is
            assert record["facts"]["reason"].partition(";")[0] == disturbed[which]["facts"]["reason"].partition(";")[0]
        if record["rows"]:
            assert (lab / "calm" / record["rows"]).read_bytes() == (lab / "results" / record["rows"]).read_bytes()
    weights = [next((lab / results / "cache" / key).glob("*.safetensors")).read_bytes() for results in ("calm", "results")]
    assert weights[0] == weights[1]


def sweep_id(lab: Path) -> str:
    return next((lab / "results" / "jobs" / "sweeps").glob("mini-*.json")).stem


def test_two_sweeps_at_once_make_what_they_share_once(lab):
    both = [
        subprocess.Popen(command("sweep", name), cwd=lab, env=environment(), stdout=subprocess.PIPE, text=True)
        for name in ("left", "right")
    ]
    made = [re.findall(r"^\S+  (\w+-[0-9a-f]{16})$", p.communicate(timeout=PATIENCE_S)[0], re.MULTILINE) for p in both]
    assert [p.returncode for p in both] == [0, 0]
    assert not set(made[0]) & set(made[1])
    until(lambda: not queued(), "the end of all jobs")
    status = bench(lab, "status", "left", "right")
    assert status.count("2 runs: 2 done, 0 failed, 0 wait") == 2
    shared = [key for key, job in jobs(lab).items() if len(job["sweeps"]) == 2]
    assert {key.partition("-")[0] for key in shared} >= {"sound", "score", "films"}
    logs = [jobs(lab)[key]["log"] for key in shared]
    assert all(Path(log).read_text().count("Starting with") == 1 for log in logs)  # submitit's word, once a job


def test_what_is_decoded_by_an_array_is_what_one_process_decodes_also_where_one_share_is_ended(lab, tmp_path):
    from bench import artefacts
    from bench.context import Context
    from bench.data.folder import Folder
    from bench.media import write_wav
    from bench.store import Store

    (lab / "sounds").mkdir()
    for k in range(100):
        write_wav(lab / "sounds" / f"c{k:02d}.wav", np.random.default_rng(k).normal(0, 0.1, 8000 + k), 16000)
    rows = "".join(f"c{k:02d},c{k:02d}.wav,{'train' if k else 'test'}\n" for k in range(100))
    (lab / "sounds" / "labels.csv").write_text(f"id,file,split\n{rows}")
    printed = bench(lab, "sweep", "many")
    submitted = dict(reversed(found) for found in re.findall(r"^(\S+)  (\S+)$", printed, re.MULTILINE))
    shares = {key: id for key, id in submitted.items() if key.endswith("of3")}
    clips = min(shares).partition(".")[0]
    assert sorted(shares) == [f"{clips}.{number}of3" for number in (1, 2, 3)]
    assert len({id.partition("_")[0] for id in shares.values()}) == 1  # one array
    told("scancel", shares[f"{clips}.3of3"])
    until(lambda: not queued(), "the end of all jobs")
    assert "1 runs: 1 done" in bench(lab, "status", "many")
    assert all(said(lab, f"{clips}.{number}of3")["state"] == "done" for number in (1, 2))
    alone = Store(tmp_path, Context(quiet=True))(artefacts.clips, Folder(str(lab / "sounds")))
    assert alone.name == clips
    for path in (p for p in alone.iterdir() if p.name != "made.json"):
        assert (lab / "results" / "cache" / clips / path.name).read_bytes() == path.read_bytes()


def test_cancelled_jobs_stay_cancelled_and_go_on_when_asked_again(lab):
    bench(lab, "sweep", "gone")
    assert "jobs cancelled" in bench(lab, "cancel", "gone")
    until(lambda: not queued(), "an empty queue")
    assert "was cancelled" in bench(lab, "status", "gone")
    bench(lab, "sweep", "gone")
    until(lambda: not queued(), "the end of all jobs")
    assert "1 runs: 1 done" in bench(lab, "status", "gone")


def test_a_training_that_runs_out_of_time_goes_on_and_one_that_is_cancelled_does_not(lab):
    # submitit takes such a short job for one that is out of time for good
    bench(lab, "sweep", "long", "machine.minutes=2", "machine.grace=60")
    job = training(lab, "controlnet.training.steps=100000")
    key = job["key"]
    until(lambda: running(lab, key, 1), "training again after the signal before the time limit")
    told("scancel", job["id"])  # Slurm's own, not ours: SIGTERM looks like that of a preemption
    until(lambda: job["id"] not in queued(), "an end of the job")
    assert said(lab, key)["state"] == "cancelled"
    until(lambda: not queued(), "the end of all jobs")
    time.sleep(15)  # a job that were requeued would be back by now
    assert not queued() and said(lab, key)["state"] == "cancelled"
    assert checkpoint(lab, key).exists()
    assert "was cancelled" in bench(lab, "status", "long")


def test_a_training_that_is_stopped_too_often_is_given_up_with_its_state_and_goes_on_when_asked_again(lab):
    bench(lab, "sweep", "often", "machine.requeues=1")
    key = training(lab, "controlnet.training.steps=90000")["key"]
    id = jobs(lab)[key]["id"]
    until(lambda: running(lab, key, 0), "training")
    told("scancel", "--signal=USR2", id)
    until(lambda: running(lab, key, 1), "training again after SIGUSR2")
    told("scancel", "--signal=USR2", id)
    until(lambda: not queued(), "the end of all jobs")
    assert said(lab, key)["state"] == "stopped" and checkpoint(lab, key).exists()
    assert "was stopped 2 times and given up (machine.requeues=1); its state is saved" in bench(lab, "status", "often")
    assert not (lab / "results" / "cache" / f"{key}.failed").exists()
    bench(lab, "sweep", "often")
    until(lambda: running(lab, key, 0), "training once more")
    assert "jobs cancelled" in bench(lab, "cancel", "often")
    until(lambda: not queued(), "an empty queue")
