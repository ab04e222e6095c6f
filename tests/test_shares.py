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
from bench.cli import main
from bench.context import Context
from bench.data.folder import Folder
from bench.errors import Stopped
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
    """{stage: contents} as one process makes them."""
    store = opened(tmp_path_factory.mktemp("alone"))
    return {name: contents(store.need(folder)) for name, folder in asked(store, data).items()}


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


def test_what_shares_make_is_byte_for_byte_what_one_process_makes(tmp_path, data, alone):
    store = opened(tmp_path)
    for name, folder in asked(store, data).items():
        of = 3 if name == "clips" else 2
        some = [share(tmp_path, data, name, number, of) for number in range(of)]
        assert [p.wait() for p in some] == [0] * of
        pieces = sorted((tmp_path / f"{folder.name}.part").glob("*.npz"))
        assert len(pieces) == {"clips": 16, "looks": 3, "motion": 3}.get(name, 1)
        assert contents(store.need(folder)) == alone[name]
        assert not (tmp_path / f"{folder.name}.part").exists()
        assert share(tmp_path, data, name, 0, of).wait() == 0  # too late: it is there
        assert not (tmp_path / f"{folder.name}.part").exists()


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
def test_a_pool_shares_what_is_big_and_makes_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_WORDS", raising=False)
    Path("sweeps").mkdir()
    Path("sweeps/small.yaml").write_text(SMALL)
    for where in ("one", "many"):
        machine = ["machine=local", "machine.jobs=2", f"machine.shards={1 + (where == 'many')}", f"machine.results={where}"]
        main(["sweep", "small", *machine])
    said = capsys.readouterr().out
    (clips,) = (p.name for p in Path("one/cache").glob("clips-*"))
    for number in range(2):
        assert f"{named(clips, number, 2)}: made" in said
    made = [{p.name for p in Path(where, "cache").iterdir() if p.name[0] != "."} for where in ("one", "many")]
    assert made[0] == made[1]
    facts = [contents(Path(where, "cache", clips)) for where in ("one", "many")]
    for one in facts:
        one.pop("facts.json")  # it names the folder where its videos lie
    assert facts[0] == facts[1]
