"""Four workers at once on one study, one of them killed: on a journal file, and on a real PostgreSQL."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from bench.tune.storage import opened

HERE = Path(__file__).resolve().parent


@pytest.fixture
def journal(tmp_path):
    return str(tmp_path / "four.journal")


@pytest.fixture
def postgres():
    """The URL of an empty database of a server on loopback that lives as long as the test; where BENCH_SERVICES names postgres it may
    not be missing.
    """
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which("initdb", path=os.pathsep.join([*map(str, reversed(places)), os.environ.get("PATH", "")]))
    if found is None:
        if "postgres" in os.environ.get("BENCH_SERVICES", ""):
            pytest.fail("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        pytest.skip("PostgreSQL is not installed")
    with server(Path(found).parent) as url:
        yield url


@contextmanager
def server(bins: Path):
    import socket

    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="bench-postgres-"))
    if user:
        shutil.chown(folder, user)

    def call(name: str, *words: str):
        done = subprocess.run([bins / name, "-D", folder / "data", *words], capture_output=True, text=True, user=user, cwd=folder)
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        call("initdb", "--auth=trust", "--username=bench", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories= -c fsync=off"
        subprocess.run([bins / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start"],
                       check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder)  # fmt: skip
        try:
            yield f"postgresql+psycopg://bench@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
@pytest.mark.parametrize("kind", ["journal", pytest.param("postgres", marks=pytest.mark.slow)])
def test_four_workers_of_which_one_is_killed_try_exactly_the_total_and_nothing_twice(kind, sampler, request, tmp_path):
    storage, log, total = request.getfixturevalue(kind), tmp_path / "log", 20
    command = [sys.executable, HERE / "tune_worker.py", storage, log, sampler, str(total), "30"]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(4)]
    victim, *others = workers
    (tmp_path / f"slow-{victim.pid}").touch()  # its first trial never ends
    (tmp_path / "go").touch()
    try:
        wait_for(lambda: log.exists() and f"{victim.pid} " in log.read_text(), "the victim begins a trial")
        victim.send_signal(signal.SIGKILL)
        said = [other.communicate(timeout=400)[0] for other in others]
    finally:
        for worker in workers:
            worker.kill()
            print(worker.pid, worker.communicate()[0])  # of a failure pytest shows it
    assert [other.returncode for other in others] == [0, 0, 0], "\n".join(said)
    trials = trials_in(storage)
    complete = [tuple(t.params.values()) for t in trials if t.state == TrialState.COMPLETE]
    assert len(complete) == len(set(complete)) == total
    assert not [t for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING)]
    begun_by = [line.split() for line in log.read_text().splitlines()]
    killed = [words for pid, *words in begun_by if int(pid) == victim.pid]
    assert len(killed) == 1
    tries = Counter(tuple(words) for _, *words in begun_by)
    assert tries.pop(tuple(killed[0])) == 2  # once by the victim, once by another
    assert set(tries.values()) == {1}


def trials_in(storage: str) -> list[optuna.trial.FrozenTrial]:
    """With connections to a database that are closed before it stops."""
    if "://" not in storage:
        return optuna.load_study(study_name="four", storage=opened(storage)).trials
    from sqlalchemy.pool import NullPool

    there = optuna.storages.RDBStorage(storage, engine_kwargs={"poolclass": NullPool})
    try:
        return optuna.load_study(study_name="four", storage=there).trials
    finally:
        there.remove_session()


def wait_for(there, what: str, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, f"waited {seconds} s: {what}"
        time.sleep(0.02)
