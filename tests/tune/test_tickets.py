"""Tickets and signs of life: whose turn it is, which worker is lost, and whose word counts."""

import json
import os
import subprocess
import sys
import time

import optuna
from optuna.trial import TrialState, create_trial
from tuned import SPACE, begun, run, states, value

from bench.tune.choose import Book, book
from bench.tune.lease import ATTRIBUTE, Watch, Worker
from bench.tune.storage import MendingLock, opened


def put(s: optuna.Study, state: TrialState, params: dict, **attributes) -> None:
    taken = {d.name: d.distribution() for d in SPACE.dimensions if d.name in params}
    values = [1.0, 1.0] if state == TrialState.COMPLETE else None
    s.add_trial(create_trial(state=state, params=params, distributions=taken, values=values, user_attrs=attributes))


def test_a_ticket_waits_for_lower_ones_that_have_chosen_nothing():
    s, setting = begun(), SPACE.settings()[0]
    put(s, TrialState.RUNNING, setting)
    put(s, TrialState.RUNNING, {})
    put(s, TrialState.RUNNING, {"control.bound": 1})  # one of two words so far
    known = book(s, SPACE)
    assert [known.turn(n) for n in range(4)] == [True, True, False, False]
    assert list(known.chosen) == [SPACE.key(setting)]


def test_the_setting_of_a_lost_trial_is_owed_until_another_takes_it():
    s, (a, b, *_) = begun(), SPACE.settings()
    put(s, TrialState.FAIL, a)
    put(s, TrialState.FAIL, b, why="diverged")
    assert book(s, SPACE).owed == (a,)
    assert Book.of(SPACE, s.trials, retry=2).owed == (a, b)
    put(s, TrialState.RUNNING, a)
    assert book(s, SPACE).owed == ()


def test_a_worker_elsewhere_is_lost_when_its_count_stands_still():
    s, watch = begun(), Watch()
    sign = Worker(lease_s=0.2).sign(0) | {"at": "another machine"}

    def lost(beat: int) -> bool:
        return watch.lost(create_trial(state=TrialState.RUNNING, user_attrs={ATTRIBUTE: sign | {"beat": beat}}))

    assert not lost(0)
    time.sleep(0.15)
    assert not lost(1)
    time.sleep(0.15)
    assert not lost(1)  # 0.3 s after the first sign, but not after the last
    time.sleep(0.15)
    assert lost(1)
    assert s.trials == []


def test_a_worker_here_is_lost_with_its_process_and_not_before():
    ask = "from bench.tune.lease import Worker; import json; print(json.dumps(Worker().sign(0)), flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    trial = create_trial(state=TrialState.RUNNING, user_attrs={ATTRIBUTE: json.loads(child.stdout.readline())})
    watch = Watch(patience_s=0.0)
    assert not watch.lost(trial)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert watch.lost(trial)  # though what is left of it still has its number
    child.communicate()
    assert watch.lost(trial)
    trial.user_attrs[ATTRIBUTE]["pid"] = os.getpid()
    assert watch.lost(trial)  # its number was given to another process


def test_signs_of_life_reach_the_storage_while_a_trial_runs():
    s = begun()
    trial = s.ask()
    with Worker(lease_s=0.05).holding(trial):
        time.sleep(0.2)
    assert s.trials[0].user_attrs[ATTRIBUTE]["beat"] >= 2


def test_a_worker_that_was_given_up_is_not_heard_and_its_setting_is_asked_again():
    asked: list = []

    def evaluate(setting):
        asked.append(SPACE.key(setting))
        if len(asked) == 1:
            s.tell(0, state=TrialState.FAIL)  # what another worker does that took this one for dead
        return value(setting)

    s = begun(trials=2)
    said = run(s, evaluate)
    assert states(s) == {"FAIL": 1, "COMPLETE": 2}
    assert asked[0] == asked[1]
    assert any("given up by another worker" in line for line in said)


def test_a_line_that_a_killed_writer_left_unfinished_is_cut_off(tmp_path):
    path = tmp_path / "j.journal"
    s = begun(opened(str(path)))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"worker_id":"x","tri')
    s.ask()
    again = path.read_bytes()
    assert again.startswith(whole)
    assert all(json.loads(line) for line in again.splitlines())
    assert len(begun(opened(str(path))).trials) == 1
    lock = MendingLock(path)
    path.write_bytes(b"half")
    lock.acquire()
    lock.release()
    assert path.read_bytes() == b""


def test_a_trial_that_is_given_up_while_another_chooses_is_tried_by_it():
    s, setting = (
        begun(),
        SPACE.settings()[0],
    )  # found on PostgreSQL: the one that chose it took it for a repeat, and nobody tried it
    put(s, TrialState.RUNNING, setting, **{ATTRIBUTE: Worker().sign(0) | {"at": "another machine"}})
    choose = s.sampler.sample_relative

    def chosen_late(*asked):
        s.tell(0, state=TrialState.FAIL, skip_if_finished=True)
        return choose(*asked)

    s.sampler.sample_relative = chosen_late
    run(s)
    assert states(s) == {"FAIL": 1, "COMPLETE": 6}
    assert s.trials[1].params == setting
