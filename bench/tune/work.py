"""A worker of a study: ask, run, tell, until as many settings were tried as the study wants; any number at once, each may die."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from bench.errors import Refused, Stopped, near
from bench.tune.choose import RETRY, WHY, Book, Chooser, book
from bench.tune.lease import ATTRIBUTE, Watch, Worker
from bench.tune.space import Setting, Space, words
from bench.tune.study import Study

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, Trial

TELLS = "study"  # attribute of a study: what its values mean
POLL_S = (0.02, 2.0)  # between two looks at the other workers: at first, at most


@dataclass(frozen=True)
class Outcome:
    """What a setting gave: a value for each objective; constraints are kept where 0 or less; told: what else its trial remembers."""

    values: tuple[float, ...]
    constraints: dict[str, float] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)


def joined(
    plan: Study, storage: BaseStorage, name: str, allowed: Callable[[Setting], bool], *, begin: bool = True
) -> optuna.Study:
    """The study `name` of `storage`, begun if it is not there; Refused if it was begun for other words, objectives or constraints."""
    if not begin and name not in (known := optuna.get_all_study_names(storage)):
        raise Refused(f"there is no study {name!r} yet.{near(name, known)}")
    study = optuna.create_study(
        storage=storage, study_name=name, load_if_exists=True, sampler=Chooser(plan, allowed), pruner=optuna.pruners.NopPruner(),
        directions=["minimize" if o.better == "lower" else "maximize" for o in plan.objectives],
    )  # fmt: skip
    tells, kept = plan.tells(), study.user_attrs.get(TELLS)
    if kept is None:
        study.set_user_attr(TELLS, tells)
        with warnings.catch_warnings():  # an experimental function of Optuna: its dashboard alone shows the names
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([o.name for o in plan.objectives])
    elif kept != tells:
        raise Refused(f"study {name!r} was begun with other {_difference(kept, tells)}; begin another with --study NAME")
    return study


def _difference(kept: dict[str, Any], tells: dict[str, Any]) -> str:
    """`words: there data.test=1, here data.test=2`: what is on one side only."""
    key = next(k for k in tells if kept.get(k) != tells[k])
    there, here = (
        [str(v) for v in side.get(key, []) if v not in other.get(key, [])] for side, other in ((kept, tells), (tells, kept))
    )
    return f"{key}: there {', '.join(there) or 'nothing more'}, here {', '.join(here) or 'nothing more'}"


def retry(study: optuna.Study) -> None:
    """Forget the failures so far: their settings are asked for again."""
    study.set_user_attr(RETRY, len(study.get_trials(deepcopy=False)))


def work(
    study: optuna.Study,
    evaluate: Callable[[Setting], Outcome],
    *,
    worker: Worker,
    check: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = print,
    wait: bool = True,
) -> None:
    """Run trials until the study's total is reached; returns when none is running any more (`wait`) or nothing is left to begin.

    A setting that raises is a failed trial with its reason and counts; Stopped and Ctrl-C give the trial back to be asked again, as does
    the death of a worker, which the others notice. check: raises Stopped when this worker is asked to end.
    """
    chooser = study.sampler
    assert isinstance(chooser, Chooser)
    watch, pause = Watch(worker.lease_s), POLL_S[0]
    while True:
        check()
        known = book(study, chooser.space)
        given_up = [_give_up(study, t, say) for t in known.running if watch.lost(t)]
        if not given_up and len(known.chosen) + len(known.undecided) < chooser.total:  # whoever holds a ticket will take one
            _one(study, chooser, evaluate, worker, watch, check, say)
            pause = POLL_S[0]
        elif not given_up:
            if not known.running or not wait:
                return
            time.sleep(pause)
            pause = min(pause * 1.5, POLL_S[1])


def _one(study: optuna.Study, chooser: Chooser, evaluate, worker: Worker, watch: Watch, check, say) -> None:
    """One trial from ticket to end; it ends FAIL without a reason where this worker is stopped."""
    trial = study.ask()
    try:
        trial.set_user_attr(ATTRIBUTE, worker.sign(0))
        with worker.holding(trial):
            _await_turn(study, chooser, trial, watch, check, say)
            known = book(study, chooser.space)
            if len(known.chosen) >= chooser.total:
                _fail(study, trial, "nothing was left to try: another worker was first")
                return
            setting = {d.name: d.suggest(trial) for d in chooser.space.dimensions}
            say(f"[trial {trial.number}, {len(known.chosen) + 1} of {chooser.total}] {' '.join(words(setting))}")
            if _repeats(study, chooser.space, trial.number, setting):  # queued by hand, from Optuna's dashboard
                _fail(study, trial, "this setting was tried before")
                return
            outcome = evaluate(setting)
        _tell(study, trial, outcome, say)
    except (Stopped, KeyboardInterrupt):
        _end(study, trial)
        raise
    except UpdateFinishedTrialError:
        say(f"[trial {trial.number}] was given up by another worker and is asked again; its records stay")
    except Exception as error:  # whatever it is: the trial says so, and the study goes on
        why = f"{error}" if isinstance(error, Refused | RuntimeError) else f"{type(error).__name__}: {error}"
        say(f"[trial {trial.number}] FAILED: {why}")
        _fail(study, trial, why)


def _repeats(study: optuna.Study, space: Space, number: int, setting: Setting) -> bool:
    """Whether another trial took this setting before; asked after choosing, for a trial that is given up meanwhile is none."""
    others = [t for t in study.get_trials(deepcopy=False) if t.number != number]
    there = Book.of(space, others, study.user_attrs.get(RETRY, 0)).chosen.get(space.key(setting))
    return there is not None and (there.state != TrialState.RUNNING or there.number < number)


def _await_turn(study: optuna.Study, chooser: Chooser, trial: Trial, watch: Watch, check, say) -> None:
    pause = POLL_S[0]
    while True:
        known = book(study, chooser.space)
        if known.turn(trial.number):
            return
        for other in known.running:
            if other.number < trial.number and watch.lost(other):
                _give_up(study, other, say)
        check()
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_S[1])


def _tell(study: optuna.Study, trial: Trial, outcome: Outcome, say) -> None:
    for name, value in outcome.constraints.items():
        trial.set_constraint(name, value)
    for name, value in outcome.told.items():
        trial.set_user_attr(name, value)
    ended = study.tell(trial, list(outcome.values), skip_if_finished=True)
    if ended.state != TrialState.COMPLETE:
        raise UpdateFinishedTrialError
    say(f"[trial {trial.number}] " + ", ".join(f"{value:.4g}" for value in outcome.values))


def _fail(study: optuna.Study, trial: Trial, why: str) -> None:
    with suppress(UpdateFinishedTrialError):  # given up by another worker in this moment: asked again
        trial.set_user_attr(WHY, why[:2000])
    _end(study, trial)


def _end(study: optuna.Study, trial: Trial | int) -> None:
    """FAIL, whoever says so first."""
    with suppress(UpdateFinishedTrialError):
        study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)


def _give_up(study: optuna.Study, trial: FrozenTrial, say) -> int:
    """End the trial of a lost worker; its setting is owed. Several may do so at once."""
    _end(study, trial.number)
    host, pid = (trial.user_attrs.get(ATTRIBUTE, {}).get(key, "?") for key in ("host", "pid"))
    say(f"[trial {trial.number}] its worker is gone (process {pid} on {host}); its setting is asked again")
    return trial.number
