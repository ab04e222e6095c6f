"""Where the jobs of a sweep run: `machine=local`, a pool of processes here, or `machine=slurm`, a cluster."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace

from bench.context import Context, allotted_cores
from bench.experiment import Machine


@dataclass(frozen=True)
class Local(Machine):
    """A bounded pool of processes on this machine; `bench sweep` starts it and waits. Other commands work in their own process."""

    jobs: int = (
        2  # how many artefacts are made at a time; each has its share of the cores unless workers and threads say otherwise
    )

    def __post_init__(self):
        super().__post_init__()
        if self.jobs < 1:
            raise ValueError(f"jobs must be 1 or more, got {self.jobs}")

    @property
    def sends(self) -> bool:
        return True

    def context(self) -> Context:
        ctx, share = super().context(), max(1, allotted_cores() // self.jobs)
        return replace(
            ctx, workers=self.workers or share, threads=self.threads or (0 if "OMP_NUM_THREADS" in os.environ else share)
        )


@dataclass(frozen=True)
class Slurm(Machine):
    """A Slurm cluster; `bench sweep` submits one job per missing artefact and returns. Other commands work in their own process.

    A job is asked to save and is requeued at SIGTERM, SIGUSR2 or `grace` seconds before its time is up.
    """

    partition: str = ""  # empty: the cluster's default, here and below
    account: str = ""
    qos: str = ""
    constraint: str = ""
    minutes: int = 240  # time limit of one job; a longer training goes on in its next turn
    cpus: int = 1  # cores of one job
    gpus: int = 0  # of one job; a training is shared among them
    memory: float = 0.0  # GiB of one job; 0: the cluster's default
    grace: int = 90  # seconds before the time limit at which the job saves its state and requeues itself
    requeues: int = 50  # turns after which a job that is stopped again and again is given up
    array: int = 0  # most jobs in one array; 0: as many as the cluster allows (MaxArraySize)
    parallel: int = 256  # most jobs of one array that run at a time
    setup: str = ""  # a shell line that each job runs first, for example 'module load ffmpeg'
    sbatch: str = ""  # further options of sbatch: machine.sbatch='--reservation=night --nice=100'

    def __post_init__(self):
        super().__post_init__()
        for name, least in (("minutes", 1), ("cpus", 1), ("gpus", 0), ("memory", 0), ("grace", 1), ("array", 0), ("parallel", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, got {getattr(self, name)}")
        if self.requeues < 0:
            raise ValueError(f"requeues must be 0 or more, got {self.requeues}")
        odd = [word for word in shlex.split(self.sbatch) if not word.startswith("--")]
        if odd:
            raise ValueError(f"sbatch takes options as --name=value, got {odd[0]!r}")
        if self.grace >= self.minutes * 60:
            raise ValueError(f"grace={self.grace} seconds must be less than the job's minutes={self.minutes}")

    @property
    def sends(self) -> bool:
        return True

    @property
    def options(self) -> dict[str, str | bool]:
        """The further options of sbatch by name; True for one without a value."""
        parted = (word[2:].partition("=") for word in shlex.split(self.sbatch))
        return {name: value if equals else True for name, equals, value in parted}
