"""What the tests of studies share: a small space, a study of it, and an objective that costs nothing."""

from collections import Counter

import optuna

from bench.tune import space, study
from bench.tune.lease import Worker
from bench.tune.work import Outcome, joined, work

SPACE = space.read(["control.bound=range(1,4)", "control.bands=choice(8,16)"])
OBJECTIVES = (study.Objective("true", ("predicted=none",), "mkl", "lower"), study.Objective("predicted", (), "mkl", "lower"))


def plan(**change) -> study.Study:
    told = {"name": "s", "about": "for a test", "common": ("split=val",), "space": SPACE, "objectives": OBJECTIVES} | change
    return study.Study(**told)


def begun(storage=None, allowed=lambda _: True, **change) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return joined(plan(**change), storage or optuna.storages.InMemoryStorage(), "s", allowed)


def value(setting) -> Outcome:
    bound, bands = setting["control.bound"], setting["control.bands"]
    return Outcome((1 / bound + 1 / bands, bound * bands / 100), told={"codes": (2 * bound + 1) ** bands})


def run(s: optuna.Study, evaluate=value, **settings) -> list[str]:
    said: list[str] = []
    work(s, evaluate, worker=Worker(), say=said.append, **settings)
    return said


def states(s: optuna.Study) -> Counter:
    return Counter(t.state.name for t in s.get_trials(deepcopy=False))
