"""One view on decoded clips, generated sound and users' folders."""

import numpy as np
import pytest
import soundfile

from bench.context import Context
from bench.data.folder import Folder
from bench.errors import Refused
from bench.media import BadMedia, write_mp4, write_wav
from bench.sounds import Sounds
from bench.stages.clips import clips


def tone(path, seconds=1.0, rate=44100):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([np.sin(np.arange(int(seconds * rate)) / 9) / 2] * 2, 1), rate)
    return path


def refusal(path, **settings):
    with pytest.raises(Refused) as error:
        Sounds.open(path, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def mixed(tmp_path):
    """mp4, wav and flac under one roof."""
    tone(tmp_path / "f" / "b.wav"), tone(tmp_path / "f" / "deep" / "c d.flac", 0.5)
    write_mp4(tmp_path / "f" / "a.mp4", np.zeros((25, 16, 16, 3), np.uint8), 25, np.sin(np.arange(16000) / 5), 16000)
    return tmp_path / "f"


def test_a_folder_of_mixed_files_is_read_by_name(mixed):
    sounds = Sounds.open(mixed)
    assert sounds.ids == ["a", "b", "c d"]
    wave = sounds.load("b", 22050)
    assert (wave.dtype, wave.shape) == (np.float32, (22050,))
    assert (sounds.video("a"), sounds.video("b")) == (mixed / "a.mp4", None)
    assert (sounds.seconds("c d"), sounds.label("c d"), sounds.split("c d")) == (0.5, None, "test")
    assert ("a" in sounds, "z" in sounds, len(sounds)) == (True, False, 3)
    with pytest.raises(KeyError):
        sounds.load("z", 16000)


def test_labels_come_from_the_folders_table_or_from_one_that_is_given(mixed, tmp_path):
    (mixed / "labels.csv").write_text("id,label\na,dog\nx,cat\n")
    assert [Sounds.open(mixed).label(i) for i in ("a", "b")] == ["dog", None]
    (tmp_path / "l.csv").write_text("file,label\nelsewhere/b.mp4,cow\n")
    assert [Sounds.open(mixed, labels=tmp_path / "l.csv").label(i) for i in ("a", "b")] == [None, "cow"]
    (tmp_path / "l.csv").write_text("id,name\nb,cow\n")
    assert "no column `label`" in refusal(mixed, labels=tmp_path / "l.csv")


def test_a_table_with_files_lists_the_sounds(mixed):
    (mixed / "labels.csv").write_text("id,file,label\none,deep/c d.flac,dog\n")
    sounds = Sounds.open(mixed)
    assert (sounds.ids, sounds.label("one"), len(sounds.load("one", 16000))) == (["one"], "dog", 8000)


def test_folders_that_are_none_are_refused_in_one_line(mixed, tmp_path):
    assert "does not exist" in refusal(tmp_path / "nowhere")
    assert "is a file, a folder was expected" in refusal(mixed / "b.wav")
    (tmp_path / "empty").mkdir()
    assert "holds no sounds: mp4, wav or flac" in refusal(tmp_path / "empty")
    tone(mixed / "a.wav")
    said = refusal(mixed)
    assert "a.mp4" in said
    assert "a.wav" in said


def test_a_bad_file_is_named_when_it_is_loaded(mixed):
    (mixed / "bad.wav").write_text("text")
    with pytest.raises(BadMedia, match=r"bad\.wav: is text"):
        Sounds.open(mixed).load("bad", 16000)


def test_decoded_clips_are_the_same_sound_as_their_files(mixed, tmp_path):
    out, part = tmp_path / "clips", tmp_path / "part"
    out.mkdir(), part.mkdir()
    clips(out, part, Context(workers=1, quiet=True), Folder(str(mixed)), 16000)
    decoded, files = Sounds.open(out), Sounds.open(mixed)
    assert decoded.ids == files.ids
    for id in decoded.ids:
        for rate in (16000, 22050):
            np.testing.assert_array_equal(decoded.load(id, rate), files.load(id, rate))
        assert decoded.seconds(id) == pytest.approx(files.seconds(id), abs=1e-4)
        assert decoded.video(id) == files.video(id)
    decoded.load("b", 16000)[:] = 0  # a copy: the store stays as it is
    assert decoded.load("b", 16000).any()


def test_decoded_clips_follow_their_data_set_to_another_place(mixed, tmp_path):
    out, part = tmp_path / "clips", tmp_path / "part"
    out.mkdir(), part.mkdir()
    clips(out, part, Context(workers=1, quiet=True), Folder(str(mixed)), 16000)
    mixed.rename(tmp_path / "moved")
    assert len(Sounds.open(out).load("b", 16000)) == 16000  # as decoded
    with pytest.raises(BadMedia, match=r"if the data set has moved, give data\.root"):
        Sounds.open(out).load("b", 22050)
    assert len(Sounds.open(out, root=tmp_path / "moved").load("b", 22050)) == 22050


def test_generated_sound_is_listed_by_its_table(tmp_path):
    for id in ("a", "it's"):
        write_wav(tmp_path / f"{id}.wav", np.sin(np.arange(8000) / 5), 16000)
    (tmp_path / "sounds.csv").write_text("id,file,label\na,a.wav,dog\nit's,,\n")
    sounds = Sounds.open(tmp_path)
    assert (sounds.ids, sounds.label("a"), sounds.seconds("it's")) == (["a", "it's"], "dog", 0.5)
    (tmp_path / "sounds.csv").write_text("id,file\na,a.wav\na,b.wav\n")
    assert "lists 'a' twice" in refusal(tmp_path)


def test_a_store_that_was_moved_still_finds_the_pictures_of_its_world(tmp_path):
    for name in ("world-1", "sound-2"):
        (tmp_path / "cache" / name).mkdir(parents=True)
    film = tmp_path / "cache" / "world-1" / "videos" / "bell" / "a.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"film")
    (tmp_path / "cache" / "sound-2" / "sounds.csv").write_text(f"id,video\na,{film}\nb,/elsewhere/b.mp4\n")
    assert Sounds.open(tmp_path / "cache" / "sound-2").video("a") == film
    (tmp_path / "cache").rename(tmp_path / "moved")
    moved = Sounds.open(tmp_path / "moved" / "sound-2")
    assert moved.video("a") == tmp_path / "moved" / "world-1" / "videos" / "bell" / "a.mp4"
    assert str(moved.video("b")) == "/elsewhere/b.mp4"


def test_real_outputs_pair_with_their_clips(shared):
    place = shared / "clips"
    real = Sounds.open(place / "real", labels=place / "labels.csv")
    assert len(real) == 13
    assert real.label("185302_0") == "volcano explosion"
    for system in ("melqcd", "foleycrafter", "vtaldm"):
        made = Sounds.open(place / "outputs" / system)
        assert set(made.ids) <= set(real.ids)
        assert all(abs(made.seconds(i) - real.seconds(i)) < 0.1 for i in made.ids)
    assert len(Sounds.open(place)) == 15
