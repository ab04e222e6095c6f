"""The lab world: clips that exist by their number, and files in which sound, picture and truth agree."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from bench.context import Context
from bench.data.lab import Lab
from bench.errors import Stopped
from bench.identity import digest
from bench.lab.clip import make_clip
from bench.lab.motion import Motion
from bench.lab.rhythm import APART
from bench.lab.world import FPS, KINDS, RATE, SIZE, plan
from bench.stages.world import world

LAB = Lab(train=4, test=15)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    out, part = tmp_path_factory.mktemp("world"), tmp_path_factory.mktemp("part")
    world(out, part, Context(workers=2, quiet=True), LAB)
    return out


def clips(out):
    """(path, truth, wave, frames) of every rendered clip of the test split."""
    for index in range(LAB.test):
        wave, frames, truth = make_clip(LAB, "test", index)
        yield out / plan(LAB, "test", index).path, truth, wave, frames


@pytest.mark.parametrize("index", range(15))
def test_a_clip_is_the_same_bytes_twice(index):
    wave, frames, truth = make_clip(Lab(), "test", index)
    again, pictures, told = make_clip(Lab(test=600, train=7), "test", index)
    assert truth["class"] == KINDS[index].folder
    assert (wave.tobytes(), frames.tobytes(), truth) == (again.tobytes(), pictures.tobytes(), told)
    assert wave.dtype == np.float32
    assert frames.shape == (truth["frames"], SIZE, SIZE, 3)
    assert wave.shape == (truth["samples"],) == (truth["frames"] * RATE // FPS,)


def test_the_sound_does_not_depend_on_the_picture():
    assert np.array_equal(make_clip(LAB, "test", 3, picture=False)[0], make_clip(LAB, "test", 3)[0])


def test_a_larger_test_split_begins_with_the_smaller():
    small, large = ({i.id for i in Lab(test=n, train=0).items()} for n in (30, 60))
    assert small < large
    assert len(large) == 60


def test_pools_seeds_and_splits_share_no_clip():
    pools = [Lab(test=40, train=40), Lab(pool="backbone"), Lab(pool="judges"), Lab(seed=1)]
    ids = [i.id for lab in pools for i in replace(lab, test=40, train=40).items()]
    assert len(set(ids)) == 4 * 80


def test_the_published_counts_are_the_default():
    items = Lab().items()
    assert Counter(i.split == "test" for i in items) == {False: 1350, True: 150}
    assert set(Counter(i.label for i in items if i.split == "test").values()) == {10}
    assert 90 < sum(i.split == "val" for i in items) < 190
    assert [i.id for i in items] == sorted(i.id for i in items)


def test_a_limit_keeps_the_first_of_each_split():
    few, all_ = Lab(clips=15).items(), {i.id for i in Lab().items()}
    assert Counter(i.split == "test" for i in few) == {False: 15, True: 15}
    assert {i.id for i in few} < all_


def test_the_key_knows_what_changes_a_clip_and_not_where_it_lies():
    assert digest(Lab()) == digest(Lab(root="elsewhere")) == digest(Lab(clips=5000))
    assert len({digest(x) for x in (Lab(), Lab(seed=1), Lab(test=600), Lab(pool="judges"), Lab(clips=30))}) == 5


@pytest.mark.parametrize(
    ("wrong", "says"), [({"test": -1}, "test must be"), ({"pool": "mine"}, "no pool 'mine'"), ({"test": 0, "train": 0}, "empty")]
)
def test_impossible_settings_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Lab(**wrong)


def test_a_tenth_of_the_clips_is_short():
    seconds = np.array([plan(Lab(), "train", i).seconds for i in range(1350)])
    assert 0.07 < np.mean(seconds < 2.56) < 0.13
    assert seconds.min() >= 1.2
    assert seconds.max() == 2.56


def test_events_come_one_to_eight_apart_and_a_tenth_unseen():
    plans = [plan(Lab(), "train", i) for i in range(1350)]
    for made in plans:
        gaps = np.diff([e.time for e in made.heard])
        assert 1 <= len(made.heard) <= 8
        assert np.all(gaps > APART - 1e-4)
        assert made.heard[0].time > 0.1
        assert made.heard[-1].time < made.seconds - 0.19
        assert not all(e.hidden for e in made.heard)
    events = [e for made in plans for e in made.heard]
    assert 0.07 < np.mean([e.hidden for e in events]) < 0.13
    assert sum(e.silent for made in plans for e in made.events) > 100


def test_levels_lie_between_a_tenth_and_0_95():
    peaks = [np.abs(make_clip(Lab(), "train", i, picture=False)[0]).max() for i in range(45)]
    assert min(peaks) >= 0.0999
    assert max(peaks) <= 0.9501
    assert max(peaks) > 2 * min(peaks)


def test_an_event_sounds_where_the_truth_says():
    for index in range(15):
        wave, _, truth = make_clip(Lab(), "train", index, picture=False)
        assert truth["energies"][0] > 0
        begin = round(truth["onsets"][0] * RATE)
        before, after = wave[begin - 800 : begin], wave[begin : begin + 1600]
        assert np.sum(after**2) > 2 * 2 * np.sum(before**2), truth["class"]  # twice the samples


def test_contact_is_in_the_first_frame_at_or_after_the_onset():
    for index in range(45):
        made = plan(Lab(), "train", index)
        motion = Motion(made)
        touching = {round(e.shown * FPS) for e in made.seen if not e.silent}
        assert set(np.flatnonzero(motion.height() < 1e-6)) == touching
        assert all(0 <= e.shown - e.time < 1 / FPS for e in made.seen)


def test_an_unseen_event_moves_nothing_and_a_feint_makes_no_sound():
    made = next(p for p in (plan(Lab(), "train", i) for i in range(200)) if p.passer is None and any(e.hidden for e in p.events))
    seen = Motion(made).seen
    assert [e for e in made.events if not e.hidden] == list(seen)
    feint = next(p for p in (plan(Lab(), "train", i) for i in range(200)) if any(e.silent for e in p.events))
    assert len(feint.heard) < len(feint.events)


def test_the_picture_changes_most_where_things_meet_or_move():
    _, frames, _ = make_clip(Lab(), "test", 9)  # a hammer
    still = np.abs(np.diff(frames.astype(float), axis=0)).mean()
    assert 0.2 < still < 40
    assert frames.std() > 15


# ---- files ----------------------------------------------------------------------------------------------------------------------


def test_the_folder_is_laid_out_as_avsync15(rendered):
    lists = {split: (rendered / f"{split}.txt").read_text().split() for split in ("train", "test")}
    assert {split: len(names) for split, names in lists.items()} == {"train": 4, "test": 15}
    listed = {f"videos/{name}" for names in lists.values() for name in names}
    assert {str(p.relative_to(rendered)) for p in (rendered / "videos").rglob("*.*")} == listed
    texts = json.loads((rendered / "class_mapping.json").read_text())
    assert texts["plucking_guitar"] == "plucking guitar"
    assert len(texts) == 15
    truth = json.loads((rendered / "truth.json").read_text())
    assert {f"videos/{t['class']}/{id}.mp4" for id, t in truth.items()} == listed
    for item in replace(LAB, root=str(rendered)).items():
        assert item.video.is_file()
        assert truth[item.id]["label"] == item.label
        tube, start, end, cut, stop = item.id[:11], *item.id[12:].split("_")
        assert len(tube) == 11
        assert int(end) == int(start) + 10
        assert float(stop) - float(cut) == pytest.approx(truth[item.id]["seconds"], abs=0.006)


def test_avsync15_reads_the_folder_as_the_lab_lists_it(rendered):
    from bench.data.avsync15 import AVSync15

    ours = replace(LAB, root=str(rendered)).items()
    assert [(i.id, i.split, i.label, i.video) for i in AVSync15(root=str(rendered)).items()] == [
        (i.id, i.split, i.label, i.video) for i in ours
    ]


def test_files_hold_25_frames_a_second_and_mono_sound_at_16_khz(rendered):
    import av

    for path, truth, _, frames in clips(rendered):
        with av.open(str(path)) as file:
            picture, sound = file.streams.video[0], file.streams.audio[0]
            assert (picture.codec_context.name, picture.width, picture.height, picture.average_rate) == ("h264", SIZE, SIZE, FPS)
            assert (sound.codec_context.name, sound.rate, sound.layout.name) == ("aac", RATE, "mono")
            shown = [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in file.decode(picture)]
        assert [t for t, _ in shown] == pytest.approx(np.arange(truth["frames"]) / FPS)
        worst = max(np.abs(a.astype(float) - b).mean() for (_, a), b in zip(shown, frames, strict=True))
        assert worst < 8  # of 255: what x264 at crf 20 takes away


def test_decoded_onsets_agree_with_the_truth_to_10_ms(rendered):
    for path, truth, _, _ in clips(rendered):
        heard = decode(path)
        ends = np.array([-1.0, *truth["onsets"]])
        for time, before, strength in zip(truth["onsets"], ends, truth["strengths"], strict=False):
            if time - before > 0.5 and strength > 0.4:  # the sound before has died away
                assert rise(heard, time) == pytest.approx(time, abs=0.010), truth["class"]


def test_decoded_sound_is_where_it_was_put_to_the_sample(rendered):
    for path, _, wave, _ in clips(rendered):
        heard = decode(path)[: len(wave)]
        spectrum = np.fft.rfft(heard, 2 * len(wave)) * np.conj(np.fft.rfft(wave, 2 * len(wave)))
        assert np.argmax(np.fft.irfft(spectrum)) == 0


def test_a_stopped_rendering_goes_on_where_it_was(tmp_path):
    lab, out, part = Lab(train=0, test=3), tmp_path / "out", tmp_path / "part"
    out.mkdir(), part.mkdir()
    ctx = Context(workers=1, quiet=True)
    ctx.stop()
    with pytest.raises(Stopped):
        world(out, part, ctx, lab)
    left = {p: p.stat().st_mtime_ns for p in part.rglob("*.mp4")}
    assert 1 <= len(left) <= 2
    assert not any(out.iterdir())
    world(out, part, Context(workers=1, quiet=True), lab)
    assert len(list(out.rglob("*.mp4"))) == 3
    assert {p: p.stat().st_mtime_ns for p in left} == left


def decode(path):
    """[samples] by the time stamps of the file, what lies before zero left out."""
    import av

    with av.open(str(path)) as file:
        frames = [(f.pts, f.to_ndarray()[0]) for f in file.decode(audio=0)]
    wave = np.zeros(max(at + len(x) for at, x in frames), np.float32)
    for at, x in frames:
        wave[max(at, 0) : at + len(x)] = x[max(-at, 0) :]
    return wave


def rise(wave, near):
    """Seconds of the first 2 ms, within 60 ms of `near`, that are louder than an eighth of the loudest there, above what was before."""
    begin, hop = int((near - 0.06) * RATE), 32
    loud = np.sqrt(np.mean(wave[begin : begin + 60 * hop].reshape(60, hop) ** 2, axis=1))
    floor = loud[:20].max()  # 40 ms, up to 20 ms before the onset
    return (begin + hop * np.argmax(loud > floor + 0.125 * (loud.max() - floor))) / RATE
