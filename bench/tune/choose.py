"""Which setting a trial takes: what a study's trials say, and a sampler that never proposes what was tried or is being tried.

A trial's number is its ticket. Numbers are given out one by one by every storage, and a worker chooses only when each lower ticket has
chosen or is given up; so no two choose at once, whatever the storage and wherever they run, and the total is exact without a lock
(Lamport's bakery; eight workers that asked freely made 21 of 20 trials and proposed settings twice).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState

from bench.errors import Failed, Refused
from bench.tune.space import MOST, Dimension, Setting, Space
from bench.tune.study import Study

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

WHY = "why"  # attribute of a failed trial that its own worker ended: what went wrong. Without it the trial was lost: it is asked again
RETRY = "retry"  # attribute of a study: failures of trials below this number are forgotten
TRIES = 10  # proposals of TPE that may be repeats before any setting that is left is taken


@dataclass(frozen=True)
class Book:
    """What the trials of a study say. chosen: by setting, the trial that tried it or tries it. owed: settings of lost trials."""

    chosen: dict[tuple, FrozenTrial]
    owed: tuple[Setting, ...]
    running: tuple[FrozenTrial, ...]
    undecided: frozenset[int]  # numbers of running trials that have chosen nothing yet

    @classmethod
    def of(cls, space: Space, trials: Sequence[FrozenTrial], retry: int = 0) -> Book:
        chosen: dict[tuple, FrozenTrial] = {}
        lost: dict[tuple, Setting] = {}
        running = tuple(t for t in trials if t.state == TrialState.RUNNING)
        for trial in trials:
            setting = space.of(trial.params)
            if setting is None or trial.state == TrialState.WAITING:
                continue
            if trial.state == TrialState.FAIL and (WHY not in trial.user_attrs or trial.number < retry):
                lost.setdefault(space.key(setting), setting)
            else:
                chosen.setdefault(space.key(setting), trial)
        owed = tuple(setting for key, setting in lost.items() if key not in chosen)
        return cls(chosen, owed, running, frozenset(t.number for t in running if space.of(t.params) is None))

    def turn(self, number: int) -> bool:
        """Whether the holder of ticket `number` may choose."""
        return not any(n < number for n in self.undecided)


def book(study: optuna.Study, space: Space) -> Book:
    return Book.of(space, study.get_trials(deepcopy=False), study.user_attrs.get(RETRY, 0))


class Chooser(BaseSampler):
    """A setting that `allowed` lets through and that no trial of the study took: first what is owed, then as the study says."""

    def __init__(self, plan: Study, allowed: Callable[[Setting], bool]):
        self.plan, self.space, self.allowed = plan, plan.space, allowed
        size = self.space.size
        if size is not None and size > MOST and plan.sampler == "grid":
            raise Refused(f"a grid of {size} settings; search it with sampler: tpe, or take fewer than {MOST}")
        self.settings = [s for s in self.space.settings() if allowed(s)] if size is not None and size <= MOST else None
        if self.settings == []:
            raise Refused("the constraints leave no setting of the space")

    @property
    def total(self) -> int:
        """Trials in all: never more than there are settings."""
        return min(self.plan.trials or MOST, len(self.settings)) if self.settings is not None else self.plan.trials

    def infer_relative_search_space(self, study, trial) -> dict[str, BaseDistribution]:
        return {d.name: d.distribution() for d in self.space.dimensions}

    def sample_relative(self, study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        known = book(study, self.space)
        if known.owed:
            return known.owed[0]
        free = None if self.settings is None else [s for s in self.settings if self.space.key(s) not in known.chosen]
        if free == []:
            raise Failed("every setting of the space was tried")
        if self.plan.sampler == "grid":
            return free[0]  # type: ignore[index]
        seed = np.random.SeedSequence([self.plan.seed, trial.number])  # of the ticket: the same whoever holds it
        tpe = TPESampler(seed=int(seed.generate_state(1)[0]), multivariate=True)
        several = {name: d for name, d in search_space.items() if not d.single()}
        for _ in range(TRIES if several else 0):
            proposed = tpe.sample_relative(study, trial, several)
            if not proposed:
                break  # too few trials to learn from
            setting = self.space.of({d.name: d.values[0] for d in self.space.dimensions if d.values} | proposed)
            if setting is not None and self._free(setting, known):
                return setting
        rng = np.random.default_rng(seed)
        if free is not None:
            return free[int(rng.integers(len(free)))]
        for _ in range(MOST):
            setting = {d.name: _drawn(d, rng) for d in self.space.dimensions}
            if self._free(setting, known):
                return setting
        raise Failed(f"no setting within the constraints was found in {MOST} draws")

    def _free(self, setting: Setting, known: Book) -> bool:
        return self.space.key(setting) not in known.chosen and self.allowed(setting)

    def sample_independent(self, study, trial, param_name, param_distribution):
        raise AssertionError(f"{param_name} is no part of the study's space")


def _drawn(dimension: Dimension, rng: np.random.Generator):
    if dimension.values:
        return dimension.values[int(rng.integers(len(dimension.values)))]
    low, high = dimension.low, dimension.high
    drawn = np.exp(rng.uniform(np.log(low), np.log(high))) if dimension.log else rng.uniform(low, high)
    return float(np.clip(drawn, low, high))
