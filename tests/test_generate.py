"""`bench generate`: sound for videos, by the shipped networks; what it refuses, and what it makes again."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from bench import chain
from bench.cli import main
from bench.context import Context
from bench.generate import asked, experiment_of, prompts, ready
from bench.media import frame_times, frames, read, write_mp4, write_wav
from bench.prompts import Said
from bench.settings import component, compose
from bench.store import Store
from bench.unheard import Unheard

FAST = ("sampling.steps=1", "machine.quiet=true", "machine.threads=1", "machine.workers=1")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A clip of the lab, with its sound taken away."""
    root = tmp_path_factory.mktemp("world")
    data = chain.rooted(component("data", "lab", "test=1", "train=0"), Store(root, Context(quiet=True, workers=1)))
    return without_sound(data.items()[0].video, root / "pan.mp4")


def without_sound(video, path):
    with av.open(str(video)) as source, av.open(str(path), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
        assert len(source.streams.audio) == 1
    return path


def packets(path) -> list[tuple[float, bytes]]:
    """Time and bytes of each packet of the picture."""
    with av.open(str(path)) as source:
        picture = source.streams.video[0]
        found = [(float(p.pts * picture.time_base), bytes(p)) for p in source.demux(picture) if p.pts is not None]
    return [(round(t - min(t for t, _ in found), 6), body) for t, body in found]


def generate(tmp_path, capsys, *names) -> tuple[int, list[str], str]:
    """(exit status, lines, what was said of errors) of `bench generate`."""
    status = 0
    try:
        main(["generate", str(names[0]), f"machine.results={tmp_path / 'results'}", *FAST, *map(str, names[1:])])
    except SystemExit as end:
        status = int(end.code or 0)
    said = capsys.readouterr()
    return status, said.out.splitlines(), said.err


def test_a_video_without_a_sound_gets_one_as_long_as_its_picture(tmp_path, capsys, video):
    status, lines, said = generate(
        tmp_path, capsys, video, "--prompt", "hammering metal", "--samples", "2", "--out", tmp_path / "out"
    )
    assert (status, len(lines)) == (0, 2), said
    assert "which know the procedural world alone, stand for backbone, motion" in said
    paths = [Path(line.split("  ")[0]) for line in lines]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in paths)
    times = frame_times(video)
    waves = []
    for path, line in zip(paths, lines, strict=True):
        assert "'hammering metal'" in line
        assert packets(path) == packets(video)
        made = read(path, 16000)
        np.testing.assert_allclose(made.times, times, atol=1e-6)
        # AAC ends with a whole packet of 1024 samples
        assert 0 <= len(made.wave) / 16000 - (times[-1] + times[1]) < 2048 / 16000
        assert np.abs(made.wave).max() > 0.01
        waves.append(made.wave)
    assert len(waves[0]) == len(waves[1])
    assert not np.allclose(waves[0], waves[1], atol=1e-3)  # another seed is another take
    before = {p: p.stat().st_mtime_ns for p in [*paths, *(tmp_path / "results" / "cache").iterdir()]}
    renamed = (tmp_path / "elsewhere.mp4", (tmp_path / "elsewhere.mp4").write_bytes(video.read_bytes()))[0]
    status, again, _ = generate(
        tmp_path, capsys, video, renamed, "--prompt", "hammering metal", "--samples", "2", "--out", tmp_path / "out"
    )
    assert again[:2] == lines
    assert {p: p.stat().st_mtime_ns for p in before} == before  # the same content under another name is made by nobody again
    assert {p.name for p in (tmp_path / "results" / "cache").iterdir()} == {p.name for p in before if "cache" in p.parts}
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_predicted_signals_do_not_depend_on_the_sound_that_a_video_has(tmp_path, capsys, video):
    loud = tmp_path / "loud.mp4"
    write_mp4(loud, frames(video, np.arange(50) / 25), 25, np.random.default_rng(0).normal(0, 0.2, 32000), 16000)
    silent = without_sound(loud, tmp_path / "silent.mp4")
    _, lines, _ = generate(tmp_path, capsys, loud, silent, "control=melqcd")
    assert [line.split("  ")[1] for line in lines] == ["2.00 s", "2.00 s"]
    hints = sorted((tmp_path / "results" / "cache").glob("hints-*"))
    assert len(hints) == 2
    for name in json.loads((hints[0] / "signal.json").read_text())["arrays"]:
        values = [np.fromfile(h / f"{name}.values", np.uint8) for h in hints]
        np.testing.assert_array_equal(*values)
    assert json.loads((hints[0] / "predictor.json").read_text()) == {}  # there was nothing to compare with


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predicted=none"], "the hints of control=melqcd are true ones"),
        (["control=oracle"], "control=oracle shows the true sound"),
        (["controlnet.training.steps=7"], "networks that are not there: controlnet-"),
        (["0123abcd"], "there is no such record"),
        (["nowhere.mp4"], "nowhere.mp4 is missing"),
        (["--samples", "0"], "--samples must be 1 or more"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line_before_anything_is_made(tmp_path, capsys, video, words, said):
    status, lines, told = generate(tmp_path, capsys, video, *words)
    assert (status, lines) == (2, [])
    assert said in told
    if "networks" in said:
        assert "`bench run machine.results=" in told and "controlnet.training.steps=7` trains them" in told
    assert not list((tmp_path / "results").glob("cache/*-*"))


def test_videos_without_a_picture_and_files_that_are_none_are_refused(tmp_path, capsys, video):
    write_wav(tmp_path / "tone.wav", np.sin(np.arange(16000) / 5), 16000)
    (tmp_path / "text.mp4").write_text("this is text")
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:3000])
    for name, why in (("tone.wav", "has no picture"), ("text.mp4", "is text"), ("cut.mp4", "")):
        status, lines, told = generate(tmp_path, capsys, video, tmp_path / name)
        assert (status, lines) == (2, [])
        assert name in told and why in told
    assert not list((tmp_path / "results").glob("cache/*-*"))


def test_a_run_gives_its_control_and_its_networks(tmp_path):
    from bench.record import Record
    from bench.run import Row

    words = ["control=energy,onset", "sampling.steps=3", "data.test=4"]
    x = compose("control=onset", *words[1:])[0]
    for row in (Row("onset, predicted", x), Row("reference", x, reference=True)):
        Record(row.id, "reference" if row.reference else "run", "done", words, {"name": row.name}, {}).write(tmp_path)
    found, line = experiment_of(Row("", x).id[:6], tmp_path, ["sampling.guidance=2"])
    assert found.control == x.control
    assert (found.sampling.steps, found.sampling.guidance) == (3, 2.0)
    assert line == ["control=onset", "sampling.steps=3", "data.test=4"]
    with pytest.raises(Exception, match="kind reference"):
        experiment_of(Row("", x, reference=True).id, tmp_path, [])
    with pytest.raises(Exception, match="only those of sampling and machine"):
        experiment_of(Row("", x).id, tmp_path, ["control.delta=0.2"])


def test_names_are_told_apart(tmp_path):
    for name in ("a=b.mp4", "deadbeef"):
        (tmp_path / name).write_bytes(b"")
    got = asked([str(tmp_path / "a=b.mp4"), str(tmp_path / "deadbeef"), "cafe01", "control=onset"])
    assert [p.name for p in got.videos] == ["a=b.mp4", "deadbeef"]
    assert (got.run, got.words) == ("cafe01", ["control=onset"])


def test_a_prompt_is_said_or_a_label_or_generic(tmp_path):
    a, b = tmp_path / "in" / "a.mp4", tmp_path / "in" / "b.mp4"
    a.parent.mkdir()
    (tmp_path / "labels.csv").write_text("id,label\na,dog_barking\n")
    assert prompts([a, b], None, None, "label") == {a: Said("dog barking"), b: "generic"}
    assert prompts([a, b], None, None, "generic") == {a: "generic", b: "generic"}
    assert prompts([a], "rain", None, "label") == {a: Said("rain")}


def test_an_unheard_signal_is_as_long_as_a_heard_one():
    import torch

    from controls.base import Batch

    x = compose()[0]
    for samples in (16000, 16001, 12345, 66560):
        batch = Batch.of(torch.zeros(1, samples), x.scale, step=x.step)
        assert Unheard(x.scale, x.step).slots(samples) == int(batch.valid.sum())


def test_a_control_that_looks_at_the_video_is_ready_with_true_hints():
    x = compose("control=clip")[0]
    assert ready(x).control == x.control


def test_real_clips_get_sound(tmp_path, capsys, shared):
    status, lines, said = generate(tmp_path, capsys, shared / "clips" / "real" / "avsync_1.mp4", "control=melqcd")
    assert status == 0, said
    source, made = shared / "clips" / "real" / "avsync_1.mp4", Path(lines[0].split("  ")[0])
    assert packets(made) == packets(source)
