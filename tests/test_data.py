"""Readers of data sets: what is listed, what is refused, and what makes two of them the same."""

import io
import json
import time
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from bench.context import Context
from bench.data import DATA
from bench.data.avsync15 import AVSync15
from bench.data.base import in_val
from bench.data.check import check
from bench.data.checked import print_check
from bench.data.folder import Folder, read_labels
from bench.data.ids import origin, stem, unsafe
from bench.data.melqcd import MelQCD
from bench.data.vggsound import VGGSound
from bench.errors import Refused
from bench.store import digest

QUIET = Context(workers=2, quiet=True)


def put(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def tone(path, seconds=1.0, level=0.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, level * np.sin(np.arange(int(seconds * 16000)) / 5), 16000)
    return path


def listed(data):
    return [(i.id, i.split, i.label) for i in data.items()]


def refusal(data):
    with pytest.raises(Refused) as error:
        data.items()
    assert "\n" not in str(error.value)
    return str(error.value)


# ---- a folder -------------------------------------------------------------------------------------------------------------------


def test_a_folder_without_a_table_is_all_test(tmp_path):
    for name in ("b.mp4", "sub/a.WAV", "sub/deeper/c.flac", ".hidden.mp4", ".cache/d.mp4", "notes.txt"):
        put(tmp_path / name)
    assert listed(Folder(str(tmp_path))) == [("a", "test", None), ("b", "test", None), ("c", "test", None)]


def test_a_video_and_a_sound_of_one_name_are_a_clip_and_its_sound(tmp_path):
    video, audio = put(tmp_path / "video" / "a.mp4"), put(tmp_path / "audio" / "a.wav")
    item = Folder(str(tmp_path)).items()[0]
    assert (item.video, item.audio) == (video, audio)


def test_two_files_of_one_name_are_refused_by_name(tmp_path):
    put(tmp_path / "x" / "a.mp4"), put(tmp_path / "y" / "a.mov")
    said = refusal(Folder(str(tmp_path)))
    assert "x/a.mp4" in said
    assert "y/a.mov" in said
    assert "labels.csv" in said


@pytest.mark.parametrize(
    "id", ["two words", 'it\'s "quoted"', "Käse – ü", "日本語", "-dash", "dots.in.it", "a,b", "100%[x]{y}$z"]
)
def test_ids_of_any_alphabet_work(tmp_path, id):
    put(tmp_path / f"{id}.mp4")
    assert Folder(str(tmp_path)).items()[0].id == id


def test_an_accent_is_the_same_id_however_it_is_written(tmp_path):
    put(tmp_path / (unicodedata.normalize("NFD", "café") + ".mp4"))
    assert Folder(str(tmp_path)).items()[0].id == unicodedata.normalize("NFC", "café")


@pytest.mark.parametrize("id", ["../x", "/etc/passwd", "a/b", "a\\b", ".hidden", "..", "line\nbreak", "x" * 201, "\udce9"])
def test_ids_that_could_leave_the_results_folder_are_refused(tmp_path, id):
    assert unsafe(id)
    if "\udce9" not in id:  # cannot be written as UTF-8
        put(tmp_path / "a.mp4")
        quoted = id.replace('"', '""')
        put(tmp_path / "labels.csv", f'id,file\n"{quoted}",a.mp4\n')
        assert repr(id) in refusal(Folder(str(tmp_path)))


def test_a_table_lists_the_clips_and_says_splits_and_labels(tmp_path):
    put(tmp_path / "clips" / "a.mp4"), put(tmp_path / "b.wav"), put(tmp_path / "unlisted.mp4")
    put(tmp_path / "labels.csv", '\ufeffID, File ,label,split,more\none,clips/a.mp4,"drum, snare",train,1\ntwo,b.wav,,Valid,2\n')
    data = Folder(str(tmp_path))
    assert listed(data) == [("one", "train", "drum, snare"), ("two", "val", None)]
    assert data.items()[0].video == tmp_path / "clips" / "a.mp4"
    assert data.items()[1].audio == tmp_path / "b.wav"


def test_a_table_may_have_ids_alone(tmp_path):
    put(tmp_path / "deep" / "a.mp4")
    put(tmp_path / "labels.csv", "id,label\na,dog\nb,cat\n")
    assert [str(i.video.relative_to(tmp_path)) for i in Folder(str(tmp_path)).items()] == ["deep/a.mp4", "b.mp4"]


def test_train_gives_a_tenth_to_val_unless_the_table_does(tmp_path):
    rows = "".join(f"c{k},c{k}.wav,train\n" for k in range(300))
    put(tmp_path / "labels.csv", "id,file,split\n" + rows)
    val = [i.id for i in Folder(str(tmp_path)).items() if i.split == "val"]
    assert val == [i for i in sorted(f"c{k}" for k in range(300)) if in_val(i)]
    assert 15 <= len(val) <= 45
    put(tmp_path / "labels.csv", "id,file,split\n" + rows + "v,v.wav,val\n")
    assert [i.id for i in replace(Folder(str(tmp_path)), clips=999).items() if i.split == "val"] == ["v"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,label\na,dog\n", "labels.csv needs a column `id` or `file`, .* it has name, label"),
        ("id,file,label\na,a.mp4,dog,loud\n", "line 2 has not 3 columns"),
        ("id,file,label\na,a.mp4\n", "line 2 has not 3 columns"),
        ("id,split\na,holdout\n", "row 2: split is train, val or test, got 'holdout'"),
        ("id,label\n", "no rows"),
        ("", "it has none"),
        ('id,label\na,"dog\n', "not a comma-separated table"),
        ("id,label\na,dog\nb,cat\na,dog\n", "1 ids stand for two clips each, the first is 'a'"),
        ("id,label\n,dog\n", "the id '' is empty"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_name(tmp_path, text, said):
    put(tmp_path / "a.mp4")
    put(tmp_path / "labels.csv", text)
    with pytest.raises(Refused, match=said):
        Folder(str(tmp_path)).items()


def test_labels_come_from_folders_where_asked(tmp_path):
    put(tmp_path / "train" / "playing_violin__fiddle" / "a.mp4"), put(tmp_path / "test" / "dog" / "b.mp4")
    found = listed(Folder(str(tmp_path), labels="folders"))
    assert found == [("a", "val" if in_val("a") else "train", "playing violin fiddle"), ("b", "test", "dog")]


def test_roots_that_are_none_are_refused_in_one_line(tmp_path):
    assert "does not exist" in refusal(Folder(str(tmp_path / "nowhere")))
    assert "is a file" in refusal(Folder(str(put(tmp_path / "a.txt"))))
    assert "holds no video or sound" in refusal(Folder(str(tmp_path)))
    assert "other.csv is missing" in refusal(Folder(str(tmp_path), labels="other.csv"))
    with pytest.raises(Refused, match="no column `label`"):
        read_labels(put(tmp_path / "l.csv", "id\na\n"))


def test_impossible_settings_are_refused():
    for wrong in ({"clips": -1}, {"max_bad": 1.5}, {"min_seconds": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Folder("x", **wrong)


# ---- published layouts ----------------------------------------------------------------------------------------------------------


def avsync15(root):
    kinds = ("dog_barking", "playing_violin__fiddle")
    names = {"train": [f"{k}/abcdefghij{n}_000030_000040_0.0_{n + 2}.0.mp4" for n, k in enumerate(kinds)], "test": []}
    names["test"] = ["dog_barking/-bcdefghi_k_000010_000020_6.8_9.0.mp4"]
    for split, lines in names.items():
        put(root / f"{split}.txt", "\n".join(lines))  # the last line may lack its end
        for line in lines:
            put(root / "videos" / line, line)
    return root


def test_avsync15_is_read_as_published(tmp_path):
    avsync15(tmp_path)
    found = listed(AVSync15(str(tmp_path)))
    assert found[0] == ("-bcdefghi_k_000010_000020_6.8_9.0", "test", "dog barking")
    assert found[2][2] == "playing violin fiddle"
    put(tmp_path / "class_mapping.json", json.dumps({"dog_barking": "a dog"}))
    assert [i[2] for i in listed(replace(AVSync15(str(tmp_path)), clips=9))] == ["a dog", "a dog", "playing violin fiddle"]


def test_avsync15_says_what_is_missing(tmp_path):
    assert "train.txt is missing" in refusal(AVSync15(str(tmp_path)))
    put(tmp_path / "train.txt", "../../etc/x.mp4\n")
    assert "is not CLASS/FILE.mp4" in refusal(AVSync15(str(tmp_path)))
    avsync15(tmp_path)
    put(tmp_path / "class_mapping.json", "[1]")
    assert "must be an object of texts" in refusal(AVSync15(str(tmp_path)))


def test_vggsound_is_found_under_every_name_in_the_wild(tmp_path):
    rows = ['---g-f_I2yQ,1,"people eating, noisy",train', "a_b-c_d-e_f,30,dog barking,test", "abcdefghijk,0,x,train"]
    rows += ["soundonly_1,7,y,test", "not_there_1,70,z,test"]
    put(tmp_path / "vggsound.csv", "\n".join(rows))
    deep = "scratch/shared/VGGSound_final/video"
    for name in (
        "---g-f_I2yQ_1000_11000.mp4",
        f"{deep}/a_b-c_d-e_f_000030.mp4",
        "x/abcdefghijk_0_10.mp4",
        "soundonly_1_000007.flac",
    ):
        put(tmp_path / name)
    found = {i.id: i for i in VGGSound(str(tmp_path)).items()}
    assert found["---g-f_I2yQ_000001"].label == "people eating, noisy"
    assert found["---g-f_I2yQ_000001"].video == tmp_path / "---g-f_I2yQ_1000_11000.mp4"
    assert found["a_b-c_d-e_f_000030"].video == tmp_path / deep / "a_b-c_d-e_f_000030.mp4"
    assert found["abcdefghijk_000000"].video == tmp_path / "x" / "abcdefghijk_0_10.mp4"
    assert found["soundonly_1_000007"].video is None
    assert found["soundonly_1_000007"].audio == tmp_path / "soundonly_1_000007.flac"
    assert not found["not_there_1_000070"].video.exists()


def test_vggsounds_official_test_list_can_be_used(tmp_path):
    put(tmp_path / "test.csv", 'abcdefghijk_000030.mp4,"a, b"\n')
    assert listed(VGGSound(str(tmp_path), table="test.csv")) == [("abcdefghijk_000030", "test", "a, b")]


@pytest.mark.parametrize("row", ["abcdefghijk,30,dog", "abcdefghijk,30,dog,holdout", "abc,30,dog,test", "abcdefghijk,x,dog,test"])
def test_a_row_that_is_not_vggsounds_is_named(tmp_path, row):
    put(tmp_path / "vggsound.csv", f"abcdefghijk,1,cat,test\n{row}\n")
    assert "vggsound.csv row 2 is not youtube_id" in refusal(VGGSound(str(tmp_path)))


def test_melqcd_is_read_as_released(tmp_path):
    put(tmp_path / "video_clip" / "1_0.mp4"), put(tmp_path / "audio_clip" / "1_0.wav")
    put(tmp_path / "train.txt", "1_0\n"), put(tmp_path / "test.txt", "2_0.mp4\n")
    put(tmp_path / "text_info.json", json.dumps({"1_0": "dog barking"}))
    one, two = MelQCD(str(tmp_path)).items()
    assert (one.label, one.video.name, one.audio.name) == ("dog barking", "1_0.mp4", "1_0.wav")
    assert (two.id, two.split, two.video.exists(), two.audio.exists()) == ("2_0", "test", False, False)
    put(tmp_path / "test.txt", "../secret\n")
    assert "'../secret'" in refusal(MelQCD(str(tmp_path)))


# ---- choosing and identity ------------------------------------------------------------------------------------------------------


def many(root, n=60):
    put(root / "labels.csv", "id,file,split\n" + "".join(f"c{k},c{k}.wav,{'test' if k % 3 else 'train'}\n" for k in range(n)))
    for k in range(n):
        put(root / f"c{k}.wav")
    return Folder(str(root))


def test_a_limit_takes_the_same_clips_of_each_split_everywhere(tmp_path):
    data = many(tmp_path)
    few, more = (replace(data, clips=n).items() for n in (3, 5))
    assert [sum(i.split == s for i in few) for s in ("train", "test")] == [3, 3]
    assert {i.id for i in few} < {i.id for i in more}
    assert [i.id for i in few] == sorted(i.id for i in few)
    assert [i.id for i in few] != [i.id for i in data.items() if i.split == few[0].split][:3]


def test_a_list_of_ids_leaves_clips_out_in_any_notation(tmp_path):
    put(tmp_path / "vggsound.csv", "abcdefghijk,30,x,test\nabcdefghij2,1,x,test\nabcdefghij3,1,x,test\n")
    data = VGGSound(
        str(tmp_path),
        exclude=str(put(tmp_path / "out.txt", "# still pictures\nabcdefghijk_30000_40000\nabcdefghij2_000001.mp4\n")),
    )
    assert [i.id for i in data.items()] == ["abcdefghij3_000001"]
    put(tmp_path / "none.txt", "nobody\n")
    assert "none of its 1 ids" in refusal(replace(data, exclude=str(tmp_path / "none.txt")))
    assert "nowhere.txt is missing" in refusal(replace(data, exclude=str(tmp_path / "nowhere.txt")))


def test_a_folder_of_lists_leaves_out_what_any_of_them_names(tmp_path):
    put(
        tmp_path / "vggsound.csv",
        "3fO18Lf_ZHo,31,x,train\nzCPH_uObL0g,0,x,train\n_MUaIRFAGmQ,138,x,test\n_MUaIRFAGmQ,105,x,test\n",
    )
    # as Synchformer's: milliseconds, a list for each reason
    put(tmp_path / "lists" / "filtered_manually_found.txt", "3fO18Lf_ZHo_31000_41000\n_MUaIRFAGmQ_138000_148000\n")
    put(tmp_path / "lists" / "less_than_9s.txt", "zCPH_uObL0g_0_10000\n")
    data = VGGSound(str(tmp_path), exclude=str(tmp_path / "lists"))
    assert [i.id for i in data.items()] == ["_MUaIRFAGmQ_000105"]
    assert digest(data) == digest(
        replace(data, exclude=str(put(tmp_path / "one.txt", "3fO18Lf_ZHo_31\nzCPH_uObL0g_0\n_MUaIRFAGmQ_138\n")))
    )
    assert check(data, ctx=QUIET, decode=False).excluded == 3
    time.sleep(0.01)  # file systems stamp to a few milliseconds
    put(tmp_path / "lists" / "less_than_9s.txt", "nobody\n")
    assert len(data.items()) == 2  # a list that was written anew is read again
    (tmp_path / "empty").mkdir()
    assert "empty holds no list" in refusal(replace(data, exclude=str(tmp_path / "empty")))


def test_identity_is_the_list_and_not_the_place(tmp_path):
    here, there = many(tmp_path / "here"), many(tmp_path / "there")
    assert digest(here) == digest(there)
    assert digest(replace(here, max_bad=0.5)) == digest(here)  # decides whether there is a product, not what it is
    assert digest(replace(here, min_seconds=1.0)) != digest(here)
    assert digest(replace(here, clips=5)) != digest(here)


@pytest.mark.parametrize("change", ["size", "label", "split", "id", "gone"])
def test_identity_changes_with_what_the_list_says(tmp_path, change):
    put(tmp_path / "labels.csv", "id,file,label,split\na,a.wav,dog,test\nb,b.wav,cat,test\n")
    put(tmp_path / "a.wav"), put(tmp_path / "b.wav")
    before = digest(Folder(str(tmp_path)))
    time.sleep(0.01)  # file systems stamp to a few milliseconds
    if change == "size":
        (tmp_path / "b.wav").unlink()
        put(tmp_path / "b.wav", "xyz")
    elif change == "gone":
        (tmp_path / "b.wav").unlink()
    else:
        row = {"label": "b,b.wav,cow,test", "split": "b,b.wav,cat,train", "id": "c,b.wav,cat,test"}[change]
        put(tmp_path / "labels.csv", f"id,file,label,split\na,a.wav,dog,test\n{row}\n")
    assert digest(Folder(str(tmp_path))) != before


def test_two_hundred_thousand_clips_are_listed_in_seconds(tmp_path):
    with open(tmp_path / "vggsound.csv", "w") as file:
        file.writelines(f'abcde{k:06d},{k % 400},"a, b",{"test" if k % 13 else "train"}\n' for k in range(200_000))
    began = time.process_time()
    data = VGGSound(str(tmp_path))
    assert len(data.items()) == 200_000
    assert len(data.identity()["hash"]) == 16
    assert time.process_time() - began < 15  # measured: 3 s on one core; 4.3 s with the 200,000 files there
    began = time.process_time()
    for _ in range(20):
        data.items()
    assert time.process_time() - began < 1  # nothing is read again


def test_every_reader_can_be_chosen_by_name():
    from importlib import import_module

    for place in DATA.values():
        module, _, name = place.partition(":")
        assert hasattr(getattr(import_module(module), name), "items")


# ---- names ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "source"),
    [
        ("---g-f_I2yQ_000001", ("---g-f_I2yQ", 1)),
        ("---g-f_I2yQ_1000_11000", ("---g-f_I2yQ", 1)),
        ("a_b-c_d-e_f_30_40", ("a_b-c_d-e_f", 30)),
        ("a_b-c_d-e_f_000030_000040", ("a_b-c_d-e_f", 30)),
        ("a_b-c_d-e_f_000030_000040_6.8_9.0", ("a_b-c_d-e_f", 30)),
        ("185302_0", None),
        ("a_b-c_d-e_f", None),
    ],
)
def test_the_source_of_a_clip_is_read_from_its_name(id, source):
    assert origin(id) == source


def test_a_name_loses_only_a_media_suffix():
    assert [stem(n) for n in ("a.mp4", "x/a.b.WAV", "a.b", "6.8_9.0.mp4", "6.8_9.0")] == ["a", "a.b", "a.b", "6.8_9.0", "6.8_9.0"]


# ---- check ----------------------------------------------------------------------------------------------------------------------


def damaged(root):
    """Twelve clips, one of each trouble among them."""
    for k in range(6):
        tone(root / f"good {k}.wav")
    tone(root / "short.wav", seconds=0.1), tone(root / "mute.wav", level=1e-5)
    put(root / "text.mp4", "not a video"), put(root / "empty.wav", "")
    soundfile.write(root / "one.wav", np.array([0.5]), 16000)
    soundfile.write(root / "nan.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    return Folder(str(root), labels="folders")


def test_check_names_every_trouble_and_goes_on(tmp_path):
    found = check(damaged(tmp_path), ctx=QUIET)
    assert {kind: [f.id for f in some] for kind, some in found.problems.items()} == {
        "undecodable": ["empty", "nan", "text"],
        "mute": ["mute"],
        "too short": ["one", "short"],
    }
    assert (found.listed, found.decoded, len(found.unusable), found.ok) == (12, 12, 6, False)
    assert found.seconds == pytest.approx(6)
    assert "text.mp4: is text" in found.problems["undecodable"][2].why


def test_check_finds_missing_and_twice_listed_clips(tmp_path):
    tone(tmp_path / "a.wav"), tone(tmp_path / "b.wav")
    put(tmp_path / "labels.csv", "id,file,label\na,a.wav,dog\na,b.wav,dog\nc,c.wav,cat\n../x,a.wav,cat\n")
    found = check(Folder(str(tmp_path)), ctx=QUIET)
    assert [f.id for f in found.problems["duplicate id"]] == ["a"]
    assert [f.id for f in found.problems["missing"]] == ["c"]
    assert [f.id for f in found.problems["unsafe id"]] == ["../x"]
    assert found.counts == {"test": {"cat": 2, "dog": 2}}
    assert found.hash is None
    assert not found.ok


def test_check_finds_sources_shared_by_splits_and_data_sets(tmp_path):
    put(tmp_path / "av" / "train.txt", "dog/a_b-c_d-e_f_000030_000040_0.0_2.0.mp4\ndog/abcdefghij1_000000_000010_0.0_3.0.mp4\n")
    put(tmp_path / "av" / "test.txt", "dog/a_b-c_d-e_f_000030_000040_5.0_8.0.mp4\n")
    put(tmp_path / "vgg" / "vggsound.csv", "abcdefghij1,0,dog,train\nabcdefghij1,10,dog,train\n")
    other = VGGSound(str(tmp_path / "vgg"))
    found = check(AVSync15(str(tmp_path / "av")), against=[other], ctx=QUIET, decode=False)
    assert [f.id for f in found.problems["train and test"]] == ["a_b-c_d-e_f_000030_000040_5.0_8.0"]
    (shared,) = found.shared.values()
    assert [f.id for f in shared] == ["abcdefghij1_000000_000010_0.0_3.0"]
    assert "abcdefghij1_000000" in shared[0].why


def test_test_clips_that_another_data_set_learns_from_are_a_list_to_leave_out(tmp_path, capsys):
    from bench.cli import main

    put(tmp_path / "av" / "train.txt", "dog/abcdefghij1_000000_000010_0.0_3.0.mp4\n")
    put(tmp_path / "av" / "test.txt", "".join(f"dog/abcdefghij{k}_000030_000040_0.0_2.0.mp4\n" for k in (2, 3, 4)))
    put(
        tmp_path / "vgg" / "vggsound.csv",
        "".join(
            f"abcdefghij{k},{s},dog,{w}\n"
            for k, s, w in [(1, 0, "train"), (2, 30, "train"), (3, 30, "test"), (4, 40, "train"), (5, 0, "train")]
        ),
    )
    words = ["data=avsync15", f"data.root={tmp_path / 'av'}", "--against", "data=vggsound", f"data.root={tmp_path / 'vgg'}"]
    with pytest.raises(SystemExit):  # no file is there
        main(["data", "check", *words, "--names", "--leaks", str(tmp_path / "leaks.txt")])
    said = capsys.readouterr().out
    assert "1 of 3 test clips are in train or val of VGGSound" in said
    assert (tmp_path / "leaks.txt").read_text().splitlines()[1:] == ["abcdefghij2_000030_000040_0.0_2.0"]
    learn = VGGSound(str(tmp_path / "vgg"), exclude=str(tmp_path / "leaks.txt"))
    assert not any(check(AVSync15(str(tmp_path / "av")), [learn], QUIET, decode=False).leaks.values())
    assert len(learn.items()) == 4


def test_check_prints_counts_troubles_and_a_verdict(tmp_path):
    from rich.console import Console

    damaged(tmp_path / "some [bold] class")
    text = io.StringIO()
    print_check(check(Folder(str(tmp_path), labels="folders"), ctx=QUIET), Console(file=text, width=200))
    said = text.getvalue()
    assert "3 undecodable" in said
    assert "A run would not start: 6 of 12 clips can be used" in said
    assert "data.max_bad=0.5 goes on without them" in said
    assert "text.mp4: is text, not sound or video: it begins 'not a video'" in said
    assert "some [bold] class" in said
    for id in ("a", "b"):
        tone(tmp_path / "good" / f"{id}.wav")
    text = io.StringIO()
    print_check(check(Folder(str(tmp_path / "good")), ctx=QUIET), Console(file=text, width=200))
    assert "A run would start: 2 of 2 clips can be used" in text.getvalue()


def test_the_shared_clips_are_all_usable(shared):
    found = check(Folder(str(shared / "clips")), ctx=QUIET)
    assert (found.listed, found.ok, found.problems) == (15, True, {})
    assert found.seconds == pytest.approx(132.3, abs=1)
