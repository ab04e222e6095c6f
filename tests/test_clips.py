"""The stage that decodes every clip once: what it writes, what it leaves out, and how it goes on after being stopped."""

import csv
import json
import os
import time
import tracemalloc
from importlib import import_module
from shutil import copytree

import numpy as np
import pytest
import soundfile

from bench.context import Context
from bench.data.base import Data, Item
from bench.data.decode import decode
from bench.data.folder import Folder
from bench.errors import Failed, Stopped
from bench.media import write_mp4
from bench.ragged import Ragged
from bench.stages.clips import clips
from bench.store import Stage, Store
from bench.workers import Crashed, spread

stage = import_module("bench.stages.clips")

QUIET = Context(workers=2, quiet=True)


def tone(path, seconds=1.0, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(np.arange(int(seconds * rate)) / 5), rate)
    return path


def make(data, tmp_path, ctx=QUIET, rate=16000):
    """The artefact of `data`, whose shards are kept in tmp_path/part between calls."""
    part, out = tmp_path / "part", tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
    part.mkdir(exist_ok=True), out.mkdir()
    clips(out, part, ctx, data, rate)
    return out


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_clips_are_sounds_and_picture_times_by_id(tmp_path):
    data = tmp_path / "data"
    tone(data / "b, wide.wav", rate=44100), tone(data / "deep" / "ünï.flac", 0.7)
    write_mp4(data / "deep" / "a.mp4", np.zeros((25, 16, 16, 3), np.uint8), 25, np.sin(np.arange(16000) / 5), 16000)
    (data / "labels.csv").write_text(
        'id,file,label,split\na,deep/a.mp4,"drum, snare",train\n"b, wide","b, wide.wav",,test\nü,deep/ünï.flac,x,val\n'
    )
    out = make(Folder(str(data)), tmp_path)
    assert [list(r.values()) for r in rows(out / "clips.csv")] == [
        ["a", "train", "drum, snare", "1.024000", "deep/a.mp4", ""],
        ["b, wide", "test", "", "1.000000", "", "b, wide.wav"],
        ["ü", "val", "x", "0.700000", "", "deep/ünï.flac"],
    ]
    assert rows(out / "dropped.csv") == []
    waves, times = Ragged(out, "wave"), Ragged(out, "times")
    assert list(waves) == list(times) == ["a", "b, wide", "ü"]
    assert (waves["b, wide"].dtype, len(waves["b, wide"]), len(waves["ü"])) == (np.float32, 16000, 11200)
    np.testing.assert_allclose(times["a"], np.arange(25) / 25, atol=1e-9)
    assert (times["a"].dtype, len(times["ü"])) == (np.float64, 0)
    facts = json.loads((out / "facts.json").read_text())
    assert facts["root"] == str(data)
    assert (facts["kept"], facts["dropped"], facts["rate"], facts["hash"]) == (3, 0, 16000, Folder(str(data)).identity()["hash"])
    assert facts["splits"]["train"] == {"kept": 1, "dropped": 0}


def test_a_sound_of_its_own_goes_with_the_picture(tmp_path):
    (tmp_path / "d").mkdir()
    write_mp4(tmp_path / "d" / "x.mp4", np.zeros((25, 16, 16, 3), np.uint8), 25, np.zeros(9), 16000)
    tone(tmp_path / "d" / "x.wav", 2.0)
    out = make(Folder(str(tmp_path / "d")), tmp_path)
    assert (len(Ragged(out, "wave")["x"]), len(Ragged(out, "times")["x"])) == (32000, 25)
    assert [rows(out / "clips.csv")[0][k] for k in ("video", "audio")] == ["x.mp4", "x.wav"]


def bad_and_good(root, good=7):
    for k in range(good):
        tone(root / f"good{k}.wav")
    (root / "bad.mp4").write_text("this is text")
    soundfile.write(root / "mute.wav", np.zeros(16000), 16000)
    tone(root / "short.wav", 0.2)


def test_unusable_clips_are_left_out_and_named(tmp_path):
    (tmp_path / "d").mkdir()
    bad_and_good(tmp_path / "d")
    out = make(Folder(str(tmp_path / "d"), max_bad=0.3), tmp_path)
    left = {r["id"]: r["reason"] for r in rows(out / "dropped.csv")}
    assert list(left) == ["bad", "mute", "short"]
    assert "bad.mp4: is text" in left["bad"]
    assert "is mute" in left["mute"]
    assert "has 0.200 s of sound" in left["short"]
    assert list(Ragged(out, "wave")) == [r["id"] for r in rows(out / "clips.csv")] == [f"good{k}" for k in range(7)]
    assert json.loads((out / "facts.json").read_text())["splits"]["test"] == {"kept": 7, "dropped": 3}


def test_more_than_max_bad_is_an_error_that_says_how_to_go_on(tmp_path):
    (tmp_path / "d").mkdir()
    bad_and_good(tmp_path / "d")
    with pytest.raises(Failed) as error:
        make(Folder(str(tmp_path / "d")), tmp_path)
    assert str(error.value).startswith("3 of 10 clips cannot be used, more than data.max_bad=0.01 allows: bad (")
    assert "data.max_bad=0.3 goes on without them" in str(error.value)
    assert len(rows(make(Folder(str(tmp_path / "d"), max_bad=0.3), tmp_path) / "clips.csv")) == 7


def test_a_data_set_without_one_usable_clip_is_an_error(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.wav").write_text("text")
    with pytest.raises(Failed, match="1 of 1 clips cannot be used.* none is left"):
        make(Folder(str(tmp_path / "d"), max_bad=1.0), tmp_path)


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    for k in range(40):
        tone(tmp_path / "d" / f"c{k}.wav", 0.5)

    class Stops(Context):
        def check(self):
            if len(list((tmp_path / "part").glob("shard-*"))) >= 5:
                self.stop()
            super().check()

    with pytest.raises(Stopped):
        make(Folder(str(tmp_path / "d")), tmp_path, Stops(workers=2, quiet=True))
    made = {p: p.stat().st_mtime_ns for p in (tmp_path / "part").glob("shard-*")}
    assert 5 <= len(made) < 20
    out = make(Folder(str(tmp_path / "d")), tmp_path)
    assert len(rows(out / "clips.csv")) == 40
    assert {p: p.stat().st_mtime_ns for p in made} == made  # not decoded again


def test_a_file_that_was_mended_is_looked_at_again(tmp_path):
    (tmp_path / "d").mkdir()
    bad_and_good(tmp_path / "d", good=1)
    with pytest.raises(Failed):
        make(Folder(str(tmp_path / "d")), tmp_path)
    time.sleep(0.05)
    for name in ("mute", "short"):
        tone(tmp_path / "d" / f"{name}.wav")
    (tmp_path / "d" / "bad.mp4").unlink()
    tone(tmp_path / "d" / "bad.wav")
    assert len(rows(make(Folder(str(tmp_path / "d"), labels="folders"), tmp_path) / "clips.csv")) == 4


def test_a_decoder_that_dies_costs_one_clip(tmp_path, monkeypatch):
    def dying(place, jobs, *, workers):
        for job in jobs:
            if any(item.id == "c3" for item in job.items):
                yield job, Crashed(-11)
            else:
                yield job, stage.make_shard(job)

    monkeypatch.setattr(stage, "spread", dying)
    for k in range(40):
        tone(tmp_path / "d" / f"c{k}.wav", 0.5)
    out = make(Folder(str(tmp_path / "d"), max_bad=0.05), tmp_path)
    assert [r["id"] for r in rows(out / "dropped.csv")] == ["c3"]
    assert "c3.wav: its decoder crashed (SIGSEGV)" in rows(out / "dropped.csv")[0]["reason"]
    assert len(Ragged(out, "wave")) == 39


def test_the_store_makes_it_once_for_any_place(tmp_path):
    for k in range(3):
        tone(tmp_path / "here" / f"c{k}.wav")
    copytree(tmp_path / "here", tmp_path / "there")
    store, decode_all = Store(tmp_path / "cache", QUIET), Stage("clips", "bench.stages.clips:clips")
    assert store(decode_all, Folder(str(tmp_path / "here"))) == store(decode_all, Folder(str(tmp_path / "there")))
    assert len(store.made) == 1


def peak(tmp_path, count):
    """Bytes at the height of making `count` clips of half a second from shards that are there."""
    samples = np.random.default_rng(0).standard_normal(8000).astype(np.float32)

    class Named(Data):
        def items(self):
            return [Item(f"c{k:06d}", "test", None, None, tmp_path / f"c{k:06d}.wav") for k in range(count)]

        def identity(self):
            return {"hash": ""}

    part, out = tmp_path / f"part{count}", tmp_path / f"out{count}"
    part.mkdir(), out.mkdir()
    for job in stage._jobs(Named().items(), part, 16000, 0.5):
        n = len(job.items)
        stage._save(job.path, [samples] * n, [np.arange(12) / 25.0] * n, [[i.id, None, 8000, 12] for i in job.items])
    tracemalloc.start()
    clips(out, part, QUIET, Named())
    height = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(Ragged(out, "wave")) == count
    return height


def test_memory_does_not_grow_with_the_sound(tmp_path):
    few, many = peak(tmp_path, 600), peak(tmp_path, 3000)
    # 32 kB of sound a clip are on disk; names, paths and offsets are what stays
    assert (many - few) / 2400 < 2000
    assert many < 2.2 * few


def test_a_clip_says_why_it_cannot_be_used(tmp_path):
    from bench.media import BadMedia

    with pytest.raises(BadMedia, match="is missing") as error:
        decode(Item("a", "test", None, tmp_path / "a.mp4"), 16000)
    assert error.value.kind == "missing"


# ---- workers --------------------------------------------------------------------------------------------------------------------


def test_workers_do_all_jobs_and_outlive_one_that_dies():
    jobs = [
        "x = 1",
        "import os; os._exit(3)",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "print('spoils nothing')",
    ]
    got = dict(spread("builtins:exec", jobs, workers=2))
    assert got == {jobs[0]: None, jobs[1]: Crashed(3), jobs[2]: Crashed(-11), jobs[3]: None}


def test_an_error_in_a_worker_is_raised_here():
    with pytest.raises(ValueError, match="invalid literal"):
        list(spread("builtins:int", ["1", "x"], workers=1))


def test_workers_end_with_the_loop_that_feeds_them():
    answers = spread("builtins:eval", ["__import__('os').getpid()"] * 3, workers=1)
    _, pid = next(answers)
    assert os.path.exists(f"/proc/{pid}") or not os.path.exists("/proc")
    answers.close()
    assert not os.path.exists(f"/proc/{pid}")
