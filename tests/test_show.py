"""`bench show` draws every control; Proposition 1 is measured against chance."""

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import Refused
from bench.experiment import Experiment
from bench.proposition1 import SLOTS, measure, proposition1, told
from bench.settings import compose
from bench.show import draw, heading, picture
from controls import load, names
from melqcd.mel import Lab, MelScale

SCALE = MelScale(bins=64, frames=128)


@pytest.fixture(autouse=True)
def plain_fonts():
    import matplotlib as mpl

    mpl.use("Agg")


def beats(seconds=1.0, rate=16000):
    at = np.arange(int(seconds * rate)) / rate
    return (np.random.default_rng(0).normal(size=len(at)) * np.exp(-20 * (at % 0.4))).astype(np.float32) * 0.3


@pytest.mark.parametrize("name", names())
def test_every_control_has_a_picture_that_ends_with_the_clip(name):
    looks = np.random.default_rng(0).normal(size=(25, 16)).astype(np.float32)
    figure = draw(load(name)(), beats(), SCALE, name="beats", looks=looks)
    axes = [a for a in figure.axes if a.get_title(loc="left")]
    assert axes[0].get_title(loc="left").startswith("True mel: 64 bins, 100 frames a second")
    assert axes[-1].get_title(loc="left").startswith("Hint: what the ControlNet sees")
    assert all(a.get_xlim() == (0, 1) for a in axes)
    assert len(axes) == 2 + len({"none": [], "oracle": [], "clip": [], "melqcd": [1, 2]}.get(name, [1]))
    assert axes[0].images[0].get_array().shape == axes[-1].images[0].get_array().shape == (64, 100)


def test_onsets_are_marked_where_they_are():
    figure = draw(load("energy")(), beats(), SCALE)
    marks = sorted(line.get_xdata()[0] for line in figure.axes[0].lines)
    assert marks == pytest.approx([0.4, 0.8], abs=0.03)


def test_a_sound_longer_than_the_picture_is_cut_and_one_of_no_frame_refused():
    figure = draw(load("none")(), beats(3.0), SCALE)
    assert figure.axes[0].get_xlim() == (0, 1.28)
    with pytest.raises(ValueError, match="one frame of the mel takes 160"):
        draw(load("none")(), beats()[:100], SCALE)


def test_the_heading_says_what_is_shown_and_what_it_costs():
    assert heading(load("melqcd")(), "beats", SCALE, 4) == "melqcd on beats: 25 slots a second, 12.68 bits and 2 reals each"
    assert (
        heading(load("melqcd")(bands=16), "beats", SCALE, 1)
        == "melqcd bands=16 on beats: 100 slots a second, 25.36 bits and 2 reals each"
    )
    assert heading(load("onset")(), "beats", SCALE, 4) == "onset on beats: 25 slots a second, 1 bit each"
    assert heading(load("none")(), "beats", SCALE, 4) == "none on beats: 25 slots a second, nothing to predict"


@pytest.fixture
def x() -> Experiment:
    return compose("control=melqcd", "scale=lab")[0]


def test_a_file_becomes_a_picture_named_after_it(x, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "two beats.wav", beats(), 16000)
    path = picture(x, None, str(tmp_path / "two beats.wav"), tmp_path / "shown")  # type: ignore[arg-type]
    assert path == tmp_path / "shown" / "two beats-melqcd.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert picture(x, None, str(tmp_path / "two beats.wav"), tmp_path / "a.png") == tmp_path / "a.png"  # type: ignore[arg-type]


def test_a_file_that_is_missing_or_no_sound_is_refused_by_name(x, tmp_path):
    (tmp_path / "text.wav").write_text("this is not a sound")
    with pytest.raises(Refused, match="text.wav"):
        picture(x, None, str(tmp_path / "text.wav"), tmp_path)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="gone.mp4: no such file"):
        picture(x, None, str(tmp_path / "gone.mp4"), tmp_path)  # type: ignore[arg-type]


def test_what_is_made_of_the_video_needs_one(x, tmp_path):
    import soundfile

    from bench.media import write_mp4

    soundfile.write(tmp_path / "beats.wav", beats(), 16000)
    x = replace(x, control=load("clip")())
    with pytest.raises(Refused, match="control=clip is made of the video, and this clip has none"):
        picture(x, None, str(tmp_path / "beats.wav"), tmp_path)  # type: ignore[arg-type]
    write_mp4(tmp_path / "seen.mp4", np.zeros((25, 32, 32, 3), np.uint8), 25, beats(), 16000)
    assert picture(x, None, str(tmp_path / "seen.mp4"), tmp_path).name == "seen-clip.png"  # type: ignore[arg-type]


def test_an_id_is_looked_up_in_the_data(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "beats.wav", beats(), 16000)
    x, _ = compose("control=onset", "scale=lab", "data=folder", f"data.root={tmp_path}")
    assert picture(x, None, "beats", tmp_path / "shown").name == "beats-onset.png"  # type: ignore[arg-type]
    with pytest.raises(Refused, match="neither a file nor one of the 1 clips of the data. Did you mean 'beats'"):
        picture(x, None, "beat", tmp_path / "shown")  # type: ignore[arg-type]


def test_the_lab_s_scale_has_its_own_axis():
    figure = draw(load("lowres")(), beats(), Lab())
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["0.1", "0.25", "0.5", "1", "2", "4", "8"]
    assert figure.axes[0].get_ylim() == (64, 0)


# ---- Proposition 1 ---------------------------------------------------------------------------------------------------------------


def test_what_names_the_label_tells_all_of_it():
    label = np.repeat(["dog", "bell", "drum"], 20)
    clip = np.repeat(np.arange(60), 10)
    found = told(label[clip], clip, label, permutations=50)
    assert found.share == pytest.approx(1)
    assert found.beyond == pytest.approx(1)
    assert found.p == pytest.approx(1 / 51)
    assert found.symbols == 3


def test_what_names_the_clip_tells_no_more_than_chance():
    label, clip = np.repeat(["dog", "bell"], 20), np.repeat(np.arange(40), 10)
    found = told(clip, clip, label, permutations=50)
    assert (found.share, found.chance) == pytest.approx((1, 1))
    assert found.beyond == 0


def test_many_symbols_of_noise_tell_something_and_nothing_beyond_chance():
    random = np.random.default_rng(0)
    label, clip = random.choice(["a", "b", "c"], 60), np.repeat(np.arange(60), 10)
    found = told(random.integers(0, 400, 600), clip, label)
    assert found.share > 0.3
    assert abs(found.beyond) < 0.1
    assert found.p > 0.01


def test_the_share_of_a_channel_known_by_hand():
    # the symbol is the label three times in four, the other one else: 1 - h(1/4) of one bit
    label, clip = np.array(["a", "b"]), np.repeat([0, 1], 4)
    found = told(np.array([0, 0, 0, 1, 1, 1, 1, 0]), clip, label, permutations=1)
    assert found.share == pytest.approx(1 - 0.8112781)


def test_a_label_that_is_the_same_everywhere_is_refused():
    with pytest.raises(ValueError, match="nothing to tell apart"):
        told(np.arange(4), np.arange(4), np.array(["a"] * 4))


def test_shape_tells_the_class_where_it_does_and_energy_where_it_does():
    random = np.random.default_rng(0)
    label = np.repeat(["a", "b"], 30)
    signals = []
    for kind in label:
        code = np.stack([np.full(50, 7 if kind == "a" else 9), random.integers(0, 81, 50)], 1)
        signals.append({"code": code, "energy": random.uniform(0.4, 0.6, (50, 1)), "deviation": random.uniform(0, 0.1, (50, 1))})
    found = proposition1(signals, {"class": label}, permutations=20).set_index("component")
    assert found.loc["shape, group 1 of 2", "beyond"] == pytest.approx(1)
    assert (found.loc[["shape, group 2 of 2", "energy", "deviation", "energy and deviation"], "beyond"].abs() < 0.05).all()
    assert (found.slots == 60 * SLOTS).all()


def test_silent_slots_and_unlabelled_clips_are_left_out():
    signal = {"code": np.zeros((4, 1), int), "energy": np.array([[0.0], [0.5], [0.1], [0.45]]), "deviation": np.zeros((4, 1))}
    silent = {**signal, "energy": np.zeros((4, 1))}
    found = proposition1([signal, signal, signal, silent], {"class": ["a", "b", "", "a"]}, permutations=2)
    assert (found.slots == 4).all()
    assert (found.clips == 2).all()


def test_a_labelled_folder_is_measured_through_the_store(tmp_path, capsys):
    import soundfile

    from bench.context import Context
    from bench.proposition1 import print_proposition1
    from bench.store import Store

    at = np.arange(16000) / 16000
    for i in range(6):
        hz = 300 if i % 2 else 3000
        soundfile.write(tmp_path / f"{i}.wav", (0.3 * np.sin(2 * np.pi * (hz + i) * at)).astype(np.float32), 16000)
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(f"{i},{'low' if i % 2 else 'high'}\n" for i in range(6)))
    x, _ = compose("scale=lab", "data=folder", f"data.root={tmp_path}")
    store = Store(tmp_path / "cache", Context(workers=1, quiet=True))
    found = measure(x, store).set_index("component")
    assert found.loc["shape code", "share"] > 0.95
    print_proposition1(x, store)
    assert "beyond chance" in capsys.readouterr().out
    other, _ = compose("control=onset", "data=folder", f"data.root={tmp_path}")
    with pytest.raises(Refused, match="control=melqcd"):
        measure(other, store)
