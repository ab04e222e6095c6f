"""Slurm's own preemption: a job of a partition of higher priority takes the place of a training, which goes on after it."""

import json
import re

import pytest
from slurm_shell import bench, calmly, jobs, put, queued, running, said, told, until

pytestmark = pytest.mark.slow


@pytest.fixture
def lab(cluster, tmp_path):
    return put(tmp_path, {"mini": "runs: ['control=onset predicted=none controlnet.training.steps=400']"})


def of(id: str) -> dict[str, str]:
    """What `scontrol show job` says of a job."""
    return dict(re.findall(r"\b(\w+)=(\S*)", told("scontrol", "show", "job", "--oneliner", id)))


def test_a_training_that_is_preempted_is_requeued_and_ends_with_the_weights_of_an_undisturbed_one(lab):
    bench(lab, "sweep", "mini")
    (key,) = (k for k in jobs(lab) if k.startswith("controlnet-"))
    id = jobs(lab)[key]["id"]
    until(lambda: running(lab, key, 0), "training")

    whole = ("--exclusive", "--partition=urgent", f"--chdir={lab}", "--output=urgent.txt", "--parsable")
    urgent = told("sbatch", *whole, "--wrap", "sleep 8").strip()  # asks for the whole node
    until(lambda: of(urgent)["JobState"] == "RUNNING", "the urgent job in the training's place")
    assert of(id)["JobState"] != "RUNNING"
    assert said(lab, key)["state"] == "requeued" and said(lab, key)["ending"] in ("preempted", "requeued")
    until(lambda: running(lab, key, 1), "training again")
    assert of(urgent)["JobState"] == "COMPLETED" and of(id)["Restarts"] == "1"
    until(lambda: not queued(), "the end of all jobs")
    assert "1 runs: 1 done" in bench(lab, "status", "mini")

    calmly(lab)
    bench(lab, "sweep", "mini", "machine=here", "machine.results=calm")
    weights = [next((lab / results / "cache" / key).glob("*.safetensors")).read_bytes() for results in ("calm", "results")]
    assert weights[0] == weights[1]
    calm, disturbed = ([json.loads(p.read_text()) for p in (lab / results).glob("*.json")] for results in ("calm", "results"))
    assert [(r["id"], r["scores"]) for r in calm] == [(r["id"], r["scores"]) for r in disturbed] != []
