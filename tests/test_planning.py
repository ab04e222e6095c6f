import json

from bench.planning import plan, spoken
from bench.store import Asked


def test_a_plan_tells_what_is_missing_and_how_long_the_like_took(tmp_path):
    for name, seconds in (("sound-1", 100.0), ("sound-2", 200.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "made.json").write_text(json.dumps({"stage": "sound", "seconds": seconds}))
    asked = [
        Asked("clips", "clips-1", tmp_path / "clips-1", (), True),
        Asked("sound", "sound-3", tmp_path / "sound-3", ("clips-1",), False),
        Asked("sound", "sound-3", tmp_path / "sound-3", ("clips-1",), False),
        Asked("judge", "judge-1", tmp_path / "judge-1", (), False),
    ]
    assert plan(asked, tmp_path) == [
        "there    clips-1",
        "to make  sound-3  about 2 min (mean of 2 before)",
        "to make  judge-1",
        "1 there, 2 to make, about 2 min one after the other",
        "never measured here: judge",
    ]


def test_times_are_told_as_one_says_them():
    assert [spoken(s) for s in (0.1, 95, 720, 12240)] == ["1 s", "95 s", "12 min", "3.4 h"]


def test_what_is_not_needed_is_not_planned(tmp_path):
    asked = [
        Asked("clips", "clips-1", tmp_path / "clips-1", (), False),
        Asked("controlnet", "controlnet-1", tmp_path / "controlnet-1", ("clips-1",), True),
    ]
    assert plan(asked, tmp_path, lacking=[])[-1] == "1 there, 0 to make"
