"""A worker process of a study for tests: python tune_worker.py STORAGE LOG SAMPLER TRIALS LEASE_S. Its objective takes a moment."""

import os
import random
import sys
import time
from pathlib import Path

from bench.tune import space
from bench.tune.lease import Worker
from bench.tune.storage import opened
from bench.tune.study import Objective, Study
from bench.tune.work import Outcome, joined, work

SPACE = space.read(["control.bound=range(1,6)", "control.bands=choice(8,16,32,64,128)"])


def plan(sampler: str, trials: int) -> Study:
    objectives = (
        Objective("true", ("predicted=none",), "mkl", "lower"),
        Objective("predicted", ("predicted=all",), "mkl", "lower"),
    )
    return Study("four", "for a test", ("split=val",), SPACE, objectives, sampler=sampler, trials=trials)  # type: ignore[arg-type]


def main(storage: str, log: str, sampler: str, trials: int, lease_s: float) -> None:
    def evaluate(setting):
        bound, bands = setting["control.bound"], setting["control.bands"]
        with open(log, "a") as file:  # one short line: written whole
            file.write(f"{os.getpid()} {bound} {bands}\n")
        time.sleep(random.uniform(0.05, 0.3))
        slow = Path(log).with_name(f"slow-{os.getpid()}")
        while slow.exists():
            time.sleep(0.05)
        return Outcome((1 / bound + 1 / bands, bound * bands / 100))

    while not Path(log).with_name("go").exists():
        time.sleep(0.01)
    study = joined(plan(sampler, trials), opened(storage), "four", lambda _: True)
    work(study, evaluate, worker=Worker(lease_s), say=lambda text: print(os.getpid(), text, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5]))  # type: ignore[arg-type]
