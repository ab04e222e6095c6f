"""Several processes make the pieces of one artefact: it is the same as one process makes, also where some of them are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bench import artefacts
from bench.context import Context
from bench.data.folder import Folder
from bench.errors import Stopped
from bench.jobs.ledger import Ledger
from bench.jobs.pool import Pool
from bench.jobs.tasks import planned
from bench.media import write_mp4
from bench.settings import component
from bench.shares import Pieces, Share, named, whose
from bench.store import Store
from bench.sweep import checked, read
from melqcd.mel import Lab as Scale

CLIPS = 80  # five a piece: sixteen pieces of the clips, three of the features


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Small videos of other lengths, and one file that is none."""
    root, noise = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for k in range(CLIPS):
        pictures = noise.integers(0, 255, (10 + k % 7, 16, 16, 3), np.uint8)
        wave = noise.normal(0, 0.1, (10 + k % 7) * 640).astype(np.float32)
        write_mp4(root / f"c{k:03d}.mp4", pictures, 25, wave, 16000)
    (root / "c013.mp4").write_text("not a video")
    return Folder(str(root), max_bad=0.1, min_seconds=0.1)


def asked(store: Store, data: Folder) -> dict[str, Path]:
    """The shared artefacts of `data`, by stage."""
    clips = store(artefacts.clips, data)
    looks = store(artefacts.features, "looks", component("looks", "lab"), clips)
    motion = store(artefacts.features, "motion", component("motion", "lab"), clips)
    signals = store(artefacts.signals, component("control", "melqcd"), Scale(), 4, clips)
    seen = store(artefacts.signals, component("control", "clip"), Scale(), 4, clips, looks)
    return {"clips": clips, "looks": looks, "motion": motion, "signals": signals, "seen": seen}


def opened(results: Path, **more) -> Store:
    return Store(results, Context(workers=1, threads=1, quiet=True), deferred=True, **more)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "made.json"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory, data):
    """{stage: contents} as one process makes them, each when it is asked for."""
    store = opened(tmp_path_factory.mktemp("alone"))

    class Contents(dict):
        def __missing__(self, name):
            return self.setdefault(name, contents(store.need(asked(store, data)[name])))

    return Contents()


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_shares as t
from bench.data.folder import Folder
store = t.opened(Path({results!r}))
store.share(t.asked(store, Folder({root!r}, max_bad=0.1, min_seconds=0.1))[{name!r}], int(sys.argv[1]), int(sys.argv[2]))
"""


def share(results: Path, data: Folder, name: str, number: int, of: int) -> subprocess.Popen:
    """A process with a share of the artefact `name`."""
    script = SCRIPT.format(tests=str(Path(__file__).parent), results=str(results), root=data.root, name=name)
    return subprocess.Popen([sys.executable, "-c", script, str(number), str(of)])


def shared(results: Path, data: Folder, alone: dict, name: str, of: int) -> int:
    """Make `name`, whose inputs are there, by `of` processes, join it and compare it with what one process makes; the number of pieces."""
    store = opened(results)
    folder = asked(store, data)[name]
    some = [share(results, data, name, number, of) for number in range(of)]
    assert [p.wait() for p in some] == [0] * of
    part = results / f"{folder.name}.part"
    pieces = len(list(part.glob("*.npz")))
    assert contents(store.need(folder)) == alone[name]
    assert share(results, data, name, 0, of).wait() == 0  # too late: it is there
    assert not part.exists()
    return pieces


def test_what_shares_decode_is_byte_for_byte_what_one_process_decodes(tmp_path, data, alone):
    assert shared(tmp_path, data, alone, "clips", 3) == 16


@pytest.mark.slow
def test_what_shares_encode_and_extract_is_byte_for_byte_what_one_process_makes(tmp_path, data, alone):
    pieces = {"clips": 16, "looks": 3, "motion": 3, "signals": 1, "seen": 1}
    assert {name: shared(tmp_path, data, alone, name, 2) for name in pieces} == pieces


def test_what_a_killed_share_had_made_is_kept_and_the_rest_is_made_by_the_next(tmp_path, data, alone):
    store = opened(tmp_path)
    folder = asked(store, data)["clips"]
    part = tmp_path / f"{folder.name}.part"
    one = share(tmp_path, data, "clips", 1, 2)
    end = time.monotonic() + 60
    while len(list(part.glob("shard-*.npz"))) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(one.pid, signal.SIGKILL)
    one.wait()
    made = {p: p.stat().st_mtime_ns for p in part.glob("shard-*.npz")}
    assert 2 <= len(made) < 16
    assert share(tmp_path, data, "clips", 0, 1).wait() == 0  # another number of shares than before
    assert len(list(part.glob("shard-*.npz"))) == 16
    assert {p: p.stat().st_mtime_ns for p in made} == made
    assert contents(store.need(folder)) == alone["clips"]


def test_a_share_and_the_process_that_joins_work_side_by_side(tmp_path, data, alone):
    store = opened(tmp_path)
    folder = asked(store, data)["clips"]
    some = [share(tmp_path, data, "clips", number, 2) for number in range(2)]
    assert contents(store.need(folder)) == alone["clips"]
    assert [p.wait() for p in some] == [0, 0]
    assert contents(folder) == alone["clips"]
    assert not (tmp_path / f"{folder.name}.part").exists()


def test_a_piece_is_made_by_one_process_at_a_time_and_own_pieces_come_first(tmp_path):
    found: set[int] = set()
    ctx = Context(share=Share(1, 2, tmp_path / "final"))
    with Pieces(tmp_path, ctx, 6, found.__contains__) as pieces:
        order = []
        for some in pieces.rounds():
            for k in some:
                order.append(k)
                locked = (
                    f"import fcntl; fcntl.lockf(open({str(tmp_path / 'claims')!r}, 'a+b'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, {k})"
                )
                assert subprocess.run([sys.executable, "-c", locked], stderr=subprocess.DEVNULL).returncode == 1
                found.add(k)
                pieces.done(k)
                assert subprocess.run([sys.executable, "-c", locked]).returncode == 0
    assert order == [3, 4, 5, 0, 1, 2]


def test_a_share_ends_once_the_artefact_is_there(tmp_path):
    (tmp_path / "final").mkdir()
    with Pieces(tmp_path, Context(share=Share(0, 2, tmp_path / "final")), 6, lambda k: False) as pieces:
        assert [list(some) for some in pieces.rounds()] == []


HOLDS = """
import fcntl, sys
f = open(sys.argv[1], "a+b")
fcntl.lockf(f, fcntl.LOCK_EX, 1, 2)
print("held", flush=True)
sys.stdin.read()
"""


def test_who_joins_waits_for_what_others_are_making_and_can_be_stopped_meanwhile(tmp_path):
    words = [sys.executable, "-c", HOLDS, str(tmp_path / "claims")]
    other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"held\n"
    found: set[int] = set()
    order, ctx = [], Context()

    def work():
        with Pieces(tmp_path, ctx, 4, found.__contains__) as pieces:
            for some in pieces.rounds():
                for k in some:
                    order.append(k), found.add(k), pieces.done(k)
                if len(found) == 3 and not ctx.stopping:
                    ctx.stop()

    with pytest.raises(Stopped):
        work()
    assert order == [0, 1, 3]
    other.communicate()  # it ends, and what it held is free
    ctx = Context()
    work()
    assert order == [0, 1, 3, 2]


def test_names_of_shares_are_told_from_those_of_artefacts():
    assert whose(named("clips-0f", 2, 8)) == ("clips-0f", 2, 8)
    assert whose("clips-0f") is None


SMALL = """
about: the floor of 70 clips, which two processes can decode
common: data.test=70 data.train=0 judges=[sync] sampling.steps=1 machine.quiet=true control=none
runs:
  - sampling.seed=0
"""


def test_shares_are_tasks_of_their_own_before_the_one_that_joins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_WORDS", raising=False)
    Path("sweeps").mkdir()
    Path("sweeps/small.yaml").write_text(SMALL)
    runs = checked(read("small"))[0]
    plain, many, most = (planned(runs, tmp_path / "cache", (), tmp_path, shards=n) for n in (1, 2, 50))
    assert set(many.tasks) - set(plain.tasks) == set(most.tasks) - set(plain.tasks)  # 70 clips are work for two
    shares = [key for key in many.tasks if whose(key)]
    (clips,) = (key for key in plain.tasks if key.startswith("clips-"))
    assert shares == [named(clips, 0, 2), named(clips, 1, 2)]
    assert many.tasks[clips].after == (*plain.tasks[clips].after, *shares)
    assert all(many.tasks[key].after == plain.tasks[clips].after for key in shares)
    assert many.wants == plain.wants
    assert list(many.tasks).index(clips) > max(list(many.tasks).index(key) for key in shares)


@pytest.mark.slow
def test_a_pool_shares_what_is_big_and_makes_the_same(tmp_path, monkeypatch, capsys, data, alone):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_WORDS", raising=False)
    Path("sweeps").mkdir()
    sweep = SMALL.replace("data.test=70 data.train=0", f"data=folder data.root={data.root} data.max_bad=0.1 data.min_seconds=0.1")
    Path("sweeps/small.yaml").write_text(sweep)
    lines = read("small", ["machine=local", "machine.jobs=2", "machine.shards=2", "machine.workers=1"])
    runs, machine, _ = checked(lines)
    ledger = Ledger(tmp_path / "results")
    with ledger.locked():
        tasks = planned(runs, ledger.cache, (), ledger.results, machine.shards).tasks
        pool = Pool(machine, ledger, Context(quiet=True), "s")
        pool.run({key: task for key, task in tasks.items() if key.startswith("clips-")})
    (clips,) = (key for key in tasks if key.startswith("clips-") and not whose(key))
    said = capsys.readouterr().out
    assert all(f"{name}: made" in said for name in (named(clips, 0, 2), named(clips, 1, 2), clips))
    assert pool.made == 1
    assert contents(ledger.cache / clips) == alone["clips"]
