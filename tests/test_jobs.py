"""Sweeps as jobs: what is planned, what the ledger tells, the site's words, and a pool of processes that a kill does not stop."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from terminal import status

from bench.errors import Refused
from bench.jobs.keeping import sweeps
from bench.jobs.ledger import Entry, Ledger
from bench.jobs.machines import Local, Slurm
from bench.jobs.slurm import _options
from bench.jobs.status import living, state
from bench.jobs.tasks import planned
from bench.record import frame
from bench.settings import compose, site_words
from bench.sweep import checked, read

SMALL = """
about: the floor of one clip with two seeds, and a control that has nothing to learn from
common: data.test=1 data.train=0 judges=[sync] sampling.steps=1 machine.quiet=true
runs:
  - control=none sampling.seed=0,1
  - control=onset predicted=none
"""


BRIEF = """
about: the floor of one clip, and a control whose only clip is none; each process that imports torch costs seconds, so one does
common: judges=[sync] sampling.steps=1 machine.quiet=true predicted=none
runs:
  - control=none data.test=1 data.train=0
  - control=onset data=folder data.root=broken
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_WORDS", raising=False)
    Path("sweeps").mkdir()
    Path("sweeps/small.yaml").write_text(SMALL)
    return tmp_path


def entry(key: str, *after: str, id: str = "7", system: str = "slurm") -> Entry:
    return Entry(key, ["control=none"], False, list(after), ["s"], system, id, key, "log", 0.0)


def test_a_plan_has_each_artefact_once_after_those_it_is_made_from(tmp_path):
    runs = checked(read("small"))[0]
    plan = planned(runs, tmp_path / "cache", (), tmp_path)
    assert len(plan.wants) == 3
    done = set()
    for task in plan.tasks.values():
        assert set(task.after) <= done
        done.add(task.key)
    assert done == {key for want in plan.wants for key in want.needs}
    assert len(done) < sum(len(want.needs) for want in plan.wants)
    assert [key.partition("-")[0] for key, task in plan.tasks.items() if not task.after] == ["world"]


def test_what_exists_is_no_task_and_what_only_it_needs_is_none_either(tmp_path):
    runs = checked(read("small"))[0][:1]
    plan = planned(runs, tmp_path / "cache", (), tmp_path)
    sound = next(key for key in plan.tasks if key.startswith("sound-"))
    (tmp_path / "cache" / sound).mkdir(parents=True)
    again = planned(runs, tmp_path / "cache", (), tmp_path)
    assert set(plan.tasks) - set(again.tasks) == {sound}  # its clips are still needed to score and film it


def test_the_ledger_names_the_cause_not_its_consequences(tmp_path):
    ledger = Ledger(tmp_path)
    with ledger.locked():
        for one in (entry("net-1"), entry("sound-1", "net-1"), entry("score-1", "sound-1")):
            ledger.write(one)
    assert ledger.why("score-1") == (
        "net-1 was not made: its job 7 ended without a word (killed, cancelled, out of memory or of time); the same command goes on"
    )
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "net-1.failed").write_text(json.dumps({"reason": "Diverged: nan", "traceback": "Traceback"}))
    assert ledger.why("score-1") == "net-1: Diverged: nan"
    assert ledger.cause("score-1") == "Traceback"
    ledger.say("sound-1", "skipped", reason=ledger.why("net-1"))
    assert ledger.why("sound-1") == "net-1: Diverged: nan"
    assert [state(key, ledger, {}).word for key in ("net-1", "sound-1", "score-1", "other-1")] == [
        "failed", "skipped", "lost", "not submitted",
    ]  # fmt: skip
    ledger.forget("net-1")
    assert state("net-1", ledger, {}).word == "lost"
    (tmp_path / "cache" / "net-1").mkdir()
    assert state("net-1", ledger, {}).word == "made"


def test_a_pool_lives_as_long_as_its_process(tmp_path):
    import socket

    ledger = Ledger(tmp_path)
    ended = subprocess.Popen(["true"])
    ended.wait()
    with ledger.locked():
        ledger.write(entry("a-1", id=f"{os.getpid()}@{socket.gethostname()}", system="local"))
        ledger.write(entry("b-1", id=f"{ended.pid}@{socket.gethostname()}", system="local"))
    assert list(living(ledger)) == ["a-1"]
    ledger.say("a-1", "failed", reason="no")
    assert list(living(ledger)) == []


def test_slurm_is_told_what_is_set_and_nothing_else():
    said = _options(Slurm(partition="a100", minutes=30, memory=1.5, sbatch="--reservation=night --exclusive"), ["3", "4_1"], "x")
    assert said["partition"] == "a100" and said["mem"] == "1536MB" and said["dependency"] == "afterany:3:4_1"
    assert said["additional_parameters"] == {"requeue": True, "reservation": "night", "exclusive": True}
    assert said["setup"] == ["export PYTHONSAFEPATH=1"]
    assert not {"account", "qos", "constraint", "gpus_per_node"} & set(said)
    assert "dependency" not in _options(Slurm(), [], "x")
    assert compose("machine=slurm", "machine.sbatch=--nice=9 --exclusive")[1] == Slurm(sbatch="--nice=9 --exclusive")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["machine=slurm", "machine.minutes=1", "machine.grace=60"], "grace=60 seconds must be less"),
        (["machine=slurm", "machine.minutes=0"], "minutes must be 1 or more"),
        (["machine=slurm", "machine.sbatch=night"], "sbatch takes options as --name=value, got 'night'"),
        (["machine=local", "machine.jobs=0"], "jobs must be 1 or more"),
        (["machine=local", "machine.partition=a"], "no setting 'partition'"),
        (["machine=here", "machine.save=-1"], "save must be 0 or more"),
    ],
)
def test_impossible_machines_are_refused(words, said):
    with pytest.raises(Refused, match=said):
        compose(*words)


def test_a_site_that_has_a_cluster_can_still_be_asked_to_run_here(monkeypatch):
    monkeypatch.setenv("BENCH_WORDS", "machine=slurm machine.partition=a100 machine.results=out data.test=3")
    assert compose()[1] == Slurm(partition="a100", results="out")
    assert compose("machine=local")[1] == Local(results="out")
    assert site_words(["machine=here"]) == ["machine=slurm", "machine.results=out", "data.test=3"]
    assert compose("machine=here", "machine.results=there")[0].data.test == 3


def test_without_slurm_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(Path.cwd()))
    assert status("sweep", "small", "machine=slurm") == 1
    assert "scontrol is not on this machine" in capsys.readouterr().err


def test_looking_at_no_jobs_is_no_error(capsys):
    assert status("status") == 0
    assert "no sweep was given to jobs" in capsys.readouterr().out
    assert status("logs") == 0
    assert status("logs", "sound") == 2
    assert status("status", "table2") == 2
    assert status("status", "control=none") == 2
    assert not Path("results").exists()


def test_a_pool_of_processes_goes_on_where_it_was_killed_and_one_failure_stops_no_other(elsewhere, capsys):
    Path("sweeps/brief.yaml").write_text(BRIEF)
    Path("broken").mkdir()
    Path("broken/c.mp4").write_text("not a video")
    words = [sys.executable, "-m", "bench", "sweep", "brief", "machine=local", "machine.jobs=2"]
    first = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    said = []
    for line in first.stdout:  # killed once something is made and more is being made
        said.append(line)
        if "started" in line and any(": made" in earlier for earlier in said):
            break
    first.send_signal(signal.SIGTERM)
    assert first.wait(300) == 130
    first.stdout.close()
    made = {p.name: p.stat().st_mtime_ns for p in Path("results/cache").iterdir() if p.is_dir() and not p.suffix}
    assert made and status("status", "brief") == 0
    assert "2 runs: 0 done" in capsys.readouterr().out

    assert status("sweep", "brief", "machine=local", "machine.jobs=2") == 1
    said = capsys.readouterr().out
    assert "2 runs: 1 done, 0 there before, 1 failed" in said
    assert all(f"{key}: started" not in said for key in made)
    assert {key: (elsewhere / "results/cache" / key).stat().st_mtime_ns for key in made} == made
    found = frame("results").set_index("experiment.name")
    assert found.loc["none", "status"] == "done"
    assert "is text, not sound or video" in found.loc["onset, true hints", "facts.reason"]
    assert status("status") == 0
    said = capsys.readouterr().out
    assert "gap       onset, true hints" in said and "is text, not sound or video" in said and "skipped" in said
    assert living(Ledger(elsewhere / "results")) == {}
    (one,) = sweeps(Ledger(elsewhere / "results"))
    assert (one.name, one.system) == ("brief", "local")

    began = time.monotonic()
    assert status("sweep", "brief", "machine=local") == 1  # the failure is tried again, nothing else
    assert "0 done, 1 there before, 1 failed" in capsys.readouterr().out
    assert time.monotonic() - began < 300
