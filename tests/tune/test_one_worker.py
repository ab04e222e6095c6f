"""A worker alone: nothing twice, an exact total over all starts, failures, stops and bounds."""

import optuna
import pytest
from optuna.trial import TrialState
from tuned import SPACE, begun, plan, run, states, value

from bench.errors import Failed, Refused, Stopped
from bench.tune import space
from bench.tune.shown import tried
from bench.tune.work import Outcome, retry


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_each_setting_is_tried_once_and_a_study_that_is_done_runs_nothing(sampler):
    tried_here: list[tuple] = []

    def evaluate(setting):
        tried_here.append(SPACE.key(setting))
        return value(setting)

    s = begun(sampler=sampler, trials=50)  # more than the six settings there are
    run(s, evaluate)
    run(s, evaluate)
    assert len(tried_here) == len(set(tried_here)) == 6
    assert states(s) == {"COMPLETE": 6}


def test_the_total_counts_all_starts_together():
    storage = optuna.storages.InMemoryStorage()
    run(begun(storage, trials=2))
    s = begun(storage, trials=5)
    run(s)
    assert states(s) == {"COMPLETE": 5}


def test_an_interval_is_searched_by_tpe():
    lr = space.read(["lr=tag(log,interval(1e-4,1e-2))", "n=range(1,3)"])
    s = begun(space=lr, sampler="tpe", trials=14)
    run(s, lambda setting: Outcome((abs(setting["lr"] - 1e-3), setting["n"])))
    assert states(s) == {"COMPLETE": 14}
    assert all(1e-4 <= t.params["lr"] <= 1e-2 for t in s.trials)


def test_a_setting_that_fails_counts_and_is_asked_again_on_demand():
    def evaluate(setting):
        if setting["control.bound"] == 2 and not mended:
            raise Failed("out of memory")
        return value(setting)

    mended = False
    s = begun()
    said = run(s, evaluate)
    run(s, evaluate)
    assert states(s) == {"COMPLETE": 4, "FAIL": 2}
    assert sum("FAILED: out of memory" in line for line in said) == 2
    mended = True
    retry(s)
    run(s, evaluate)
    assert states(s) == {"COMPLETE": 6, "FAIL": 2}


def test_a_trial_that_is_stopped_is_given_back_and_asked_again():
    def stopped(_):
        raise Stopped

    s = begun(trials=3)
    with pytest.raises(Stopped):
        run(s, stopped)
    assert states(s) == {"FAIL": 1}
    first = s.trials[0].params
    run(s)
    assert states(s) == {"FAIL": 1, "COMPLETE": 3}
    assert s.trials[1].params == first


def test_a_setting_queued_by_hand_is_tried_unless_it_was():
    s = begun(trials=3)
    for _ in range(2):
        s.enqueue_trial({"control.bound": 3, "control.bands": 16})
    run(s)
    assert states(s) == {"COMPLETE": 3, "FAIL": 1}
    assert [t.params["control.bound"] for t in s.trials if t.state == TrialState.COMPLETE].count(3) == 1


def test_a_setting_beyond_a_bound_is_never_tried():
    s = begun(allowed=lambda setting: setting["control.bands"] == 8, sampler="tpe")
    run(s)
    assert {t.params["control.bands"] for t in s.trials} == {8}
    assert states(s) == {"COMPLETE": 3}


def test_a_setting_over_a_measured_bound_is_not_on_the_front():
    s = begun()
    run(s, lambda setting: Outcome(value(setting).values, {"hours": setting["control.bound"] - 2.5}))
    assert {t.setting["control.bound"] for t in tried(plan(), s) if not t.feasible} == {3}
    assert {t.setting["control.bound"] for t in tried(plan(), s) if t.front} == {1, 2}


def test_a_study_begun_for_other_runs_is_refused():
    storage = optuna.storages.InMemoryStorage()
    begun(storage)
    with pytest.raises(Refused, match="begun with other words"):
        begun(storage, common=("split=val", "data.train=30"))
    begun(storage, common=("split=val", "machine.results=elsewhere"), trials=3, sampler="tpe")
