"""What we ask of Slurm: what is queued, jobs through submitit, cancelling and requeueing. No accounting (sacct) is needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import Failed, Refused
from bench.jobs.machines import Slurm

FEW = 64  # jobs that are named one by one as what a job waits for


@dataclass(frozen=True)
class Queued:
    """A job that is not at its end. state: Slurm's word (PENDING, RUNNING, COMPLETING); reason: why it waits."""

    id: str
    name: str
    state: str
    reason: str


def queue() -> dict[str, Queued]:
    """This user's jobs by id, array elements one by one. Raises Failed if squeue cannot be asked."""
    found = {}
    for line in _told("squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%i|%j|%T|%r").splitlines():
        id, name, state, reason = line.strip().rsplit("|", 3)
        found[id] = Queued(id, name, state, reason)
    return found


def ending(id: str, restarts: int) -> str:
    """Why the job `id`, in its turn `restarts`, is asked to stop: signalled, requeued (by Slurm itself), time, preempted or cancelled.

    A job that Slurm is ending shows COMPLETING and nothing else (tried on 22.05), and `scontrol requeue` would bring one back that
    somebody cancelled: what tells them apart is the count of restarts, the reason and the time of preemption.
    """
    told = dict(re.findall(r"\b(\w+)=(\S*)", _told("scontrol", "show", "job", "--oneliner", id)))
    if int(told.get("Restarts", restarts)) > restarts:
        return "requeued"
    if told.get("JobState") in ("RUNNING", "SUSPENDED"):
        return "signalled"
    if told.get("PreemptTime", "None") != "None":
        return "preempted"
    return "time" if told.get("Reason") == "TimeLimit" else "cancelled"


def requeue(id: str) -> None:
    """Run a job again, from its beginning; this process may be ended any time after."""
    _told("scontrol", "requeue", id)


def cancel(ids: Sequence[str]) -> None:
    """End jobs; at 500 a command, for a command line has its limits."""
    for i in range(0, len(ids), 500):
        _told("scancel", *ids[i : i + 500])


def most_in_an_array() -> int:
    """Largest index of the cluster's arrays plus one (MaxArraySize); 0: no arrays."""
    seen = re.search(r"^MaxArraySize\s*=\s*(\d+)", _told("scontrol", "show", "config"), re.MULTILINE)
    return int(seen[1]) if seen else 1


@dataclass(frozen=True)
class Job:
    """A function of words, as submitit calls it. A signal that comes before the function listens itself means: again, as it is."""

    function: Callable[..., None]

    def __call__(self, *words: Any) -> None:
        self.function(*words)

    def checkpoint(self, *words: Any):
        """submitit's way of asking what to run again; without it, it takes jobs of ten minutes or less for out of time, for good."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *words)


@dataclass(frozen=True)
class Submitted:
    id: str
    name: str
    log: Path


def submit(work: Callable, jobs: Sequence[tuple], after: Sequence[str], name: str, machine: Slurm, logs: Path) -> list[Submitted]:
    """One job for each of `jobs`, the arguments of `work` (words, no objects), all after the end of the jobs `after`.

    Several are one array; the caller keeps them within `most_in_an_array`. Raises Failed with sbatch's own words.
    """
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError
    from submitit.helpers import clean_env

    try:
        executor = SlurmExecutor(logs, max_num_timeout=machine.requeues)
    except RuntimeError as error:
        raise Refused(f"machine=slurm: there is no srun on this machine ({error}); machine=local runs the jobs here") from error
    executor.update_parameters(**_options(machine, after, name))
    try:
        conf = {"SLURM_CONF": os.environ["SLURM_CONF"]} if "SLURM_CONF" in os.environ else {}
        with clean_env():  # from inside another job its allotment would be taken for ours
            os.environ.update(conf)  # of all that begins with SLURM_ this one says which cluster is meant
            made = executor.map_array(Job(work), *map(list, zip(*jobs, strict=True)))
    except (FailedJobError, FailedSubmissionError, subprocess.CalledProcessError) as error:
        raise Failed(f"sbatch refused {name}: {_last_words(error)}") from error
    return [Submitted(job.job_id, name, job.paths.stdout) for job in made]


def _options(machine: Slurm, after: Sequence[str], name: str) -> dict[str, Any]:
    """submitit's parameters. Only what is set is said: the rest is the cluster's own default."""
    said: dict[str, Any] = {n: v for n in ("partition", "account", "qos", "constraint") if (v := getattr(machine, n))}
    if machine.gpus:
        said["gpus_per_node"] = machine.gpus
    if machine.memory:
        said["mem"] = f"{round(machine.memory * 1024)}MB"
    if len(after) > FEW:  # by arrays: the dependency of a job on a thousand elements is more than Slurm cares to read
        after = sorted({id.partition("_")[0] for id in after})
    if after:
        said["dependency"] = "afterany:" + ":".join(after)
    # jobs start as `python -m`: a folder called bench in the working directory would be taken for this package
    setup = ["export PYTHONSAFEPATH=1", *([machine.setup] if machine.setup else [])]
    return said | {
        "job_name": name,
        "time": machine.minutes,
        "cpus_per_task": machine.cpus,
        "signal_delay_s": machine.grace,
        "array_parallelism": machine.parallel,
        "stderr_to_stdout": True,
        "setup": setup,
        "additional_parameters": {"requeue": True, **machine.options},
    }


def _told(*command: str) -> str:
    """What a command of Slurm's prints; Failed with its own words."""
    if shutil.which(command[0]) is None:
        raise Failed(f"{command[0]} is not on this machine: is Slurm installed?")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} did not answer within {error.timeout:.0f} s") from error
    if done.returncode:
        raise Failed(f"{command[0]}: {' '.join(done.stderr.split()) or f'exit status {done.returncode}'}")
    return done.stdout


def _last_words(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else type(error).__name__)
