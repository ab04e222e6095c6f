import json
from pathlib import Path

from bench.planning import longest, plan, shared, sized, spoken
from bench.store import Asked


def test_a_plan_tells_what_is_missing_and_how_long_the_like_took(tmp_path):
    for name, seconds in (("sound-1", 100.0), ("sound-2", 200.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "made.json").write_text(
            json.dumps({"stage": "sound", "seconds": seconds, "files": {"a.wav": 10**6, "b.wav": 2 * 10**6}})
        )
    asked = [
        Asked("clips", "clips-1", tmp_path / "clips-1", (), True),
        Asked("sound", "sound-3", tmp_path / "sound-3", ("clips-1",), False),
        Asked("sound", "sound-3", tmp_path / "sound-3", ("clips-1",), False),
        Asked("judge", "judge-1", tmp_path / "judge-1", (), False),
    ]
    by_stage = [
        "stage  there  to make                one  together",
        "clips      1        -",
        "sound      -        1  2 min (mean of 2)     2 min",
        "judge      -        1",
        "1 there, 2 to make, about 2 min one after the other",
        "longest chain: about 2 min however many jobs (sound)",
        "disk: about 3.0 MB",
        "never measured here: judge; they have no part in the sums",
    ]
    assert plan(asked, tmp_path) == by_stage
    each = ["there    clips-1", "to make  sound-3  about 2 min", "to make  judge-1", ""]
    assert plan(asked, tmp_path, each=True) == [*each, *by_stage]


def test_a_plan_is_as_long_as_the_chain_has_stages_however_many_runs_there_are(tmp_path):
    asked = [
        Asked(stage, f"{stage}-{n}", tmp_path / f"{stage}-{n}", (), n < 30) for n in range(100) for stage in ("sound", "judge")
    ]
    told = plan(asked, tmp_path)
    assert (
        told[:3] == ["stage  there  to make  one  together", "sound     30       70", "judge     30       70"] and len(told) == 5
    )


def test_times_are_told_as_one_says_them():
    assert [spoken(s) for s in (0.1, 95, 720, 12240)] == ["1 s", "95 s", "12 min", "3.4 h"]


def test_what_is_not_needed_is_not_planned(tmp_path):
    asked = [
        Asked("clips", "clips-1", tmp_path / "clips-1", (), False),
        Asked("controlnet", "controlnet-1", tmp_path / "controlnet-1", ("clips-1",), True),
    ]
    assert plan(asked, tmp_path, lacking=[])[-1] == "1 there, 0 to make"


def test_the_longest_chain_is_the_slowest_way_through_what_waits_for_one_another():
    def one(key, *parts):
        return Asked(key, key, Path(key), parts, False)

    to_make = {a.key: a for a in (one("clips", "there"), one("net", "clips"), one("judge", "clips"), one("sound", "net"))}
    seconds = {"clips": 1.0, "net": 5.0, "judge": 6.0, "sound": 2.0}
    assert longest(to_make, seconds) == (8.0, ["clips", "net", "sound"])  # judge takes longest, but nothing waits for it
    assert longest(to_make, seconds | {"judge": 8.0}) == (9.0, ["clips", "judge"])
    assert longest({}, {}) == (0.0, [])


def test_sweeps_together_count_what_they_share_once_and_say_what_sharing_saves():
    assert shared({"a": [["clips", "x"], ["clips", "y"]], "b": [["clips", "y", "z"]]}) == [
        "a: 2 runs, 3 artefacts, 2 of them in others too",
        "b: 1 runs, 3 artefacts, 2 of them in others too",
        "together 4 artefacts; without sharing 7, each run by itself",
    ]


def test_sizes_are_told_as_one_says_them():
    assert [sized(s) for s in (0, 1500, 2.5e6, 3.44e9)] == ["1 KB", "2 KB", "2.5 MB", "3.4 GB"]
