"""Numbers of a judge that was taught again stand in no mean and no column with the older ones."""

import json

import pytest

from bench.judges.base import told_judges
from bench.judges.sync import Sync
from bench.report.make import report


def rewritten(folder, id, *, judges=None, real=None, written=None, name=None):
    """The record `id` with other judges, another value of real sound, another date; under another id where `name` is given."""
    path = folder / f"{id}.json"
    told = json.loads(path.read_text())
    told["facts"] |= {"judges": judges} if judges else {}
    if real is not None:
        told["scores"]["class_acc.lab"]["ceiling"] = real
    told["made"].pop("written", None)
    told["made"] |= {"written": written} if written else {}
    if name:
        path.unlink()
        told["id"] = name
    (folder / f"{told['id']}.json").write_text(json.dumps(told))
    return told["id"]


def shown(made, row="Onset"):
    return next(line for line in made.groups[0][1][0].lines if line.label == row).cells[0].cell


def said(made):
    return [line for line in made.groups[0][1][0].below if line.startswith("Left out")]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_judge_that_was_taught_again_shares_no_mean_with_the_older_one(tmp_path, keep, seed):
    old = rewritten(
        tmp_path, keep(tmp_path, "Onset", seed=seed), judges={"lab": "aaaa"}, written="2026-01-01T00:00:00Z", name="old1"
    )
    new = [
        rewritten(tmp_path, keep(tmp_path, c, seed=0), judges={"lab": "bbbb"}, written="2026-02-01T00:00:00Z")
        for c in ("Onset", "Energy")
    ]
    made = report("table2", [tmp_path])
    assert shown(made).records == (new[0],)
    assert said(made) == [f"Left out, judged by an older lab (aaaa, the newest is bbbb): 1 record ({old})"]
    assert "judged by an older lab" in made.text("md")


def test_older_records_are_told_apart_by_what_the_judge_gives_to_real_sound(tmp_path, keep):
    old = rewritten(tmp_path, keep(tmp_path, "Onset", seed=1), real=0.742)
    same = rewritten(tmp_path, keep(tmp_path, "Onset", seed=2), real=0.794001)
    new = rewritten(tmp_path, keep(tmp_path, "Onset"), judges={"lab": "bbbb"}, real=0.794, written="2026-02-01T00:00:00Z")
    rewritten(tmp_path, keep(tmp_path, "Energy"), judges={"lab": "bbbb"}, real=0.794, written="2026-02-01T00:00:00Z")
    made = report("table2", [tmp_path])
    assert set(shown(made).records) == {new, same}
    assert said(made) == [
        f"Left out, judged by an older lab (it gives 0.742 to real sound in class_acc.lab, the newest 0.794): 1 record ({old})"
    ]


def test_judges_that_nothing_tells_apart_are_one(tmp_path, keep):
    both = {keep(tmp_path, "Onset", seed=seed) for seed in (0, 1)}
    keep(tmp_path, "Energy")
    made = report("table2", [tmp_path])
    assert set(shown(made).records) == both
    assert not said(made)


@pytest.mark.parametrize("status", ["done", "failed"])
def test_of_two_records_of_one_seed_and_setting_the_newer_counts(tmp_path, keep, status):
    old = rewritten(tmp_path, keep(tmp_path, "Onset", status=status), written="2026-01-01T00:00:00Z", name="zzzz")
    new = rewritten(tmp_path, keep(tmp_path, "Onset"), written="2026-02-01T00:00:00Z", name="aaaa")
    keep(tmp_path, "Energy")
    made = report("table2", [tmp_path])
    assert shown(made).records == (new,)
    assert said(made) == [f"Left out, a newer record has the same seed and settings: 1 record ({old})"]


def test_the_report_of_all_keeps_the_newest_judge_too(tmp_path, keep):
    rewritten(tmp_path, keep(tmp_path, "Onset"), judges={"lab": "aaaa"}, written="2026-01-01T00:00:00Z")
    rewritten(tmp_path, keep(tmp_path, "Energy"), judges={"lab": "bbbb"}, written="2026-02-01T00:00:00Z")
    made = report("all", [tmp_path])
    assert len(made.groups[0][0].records) == 1
    assert len(said(made)) == 1
    assert [row.label for row in made.spec.rows] == ["Energy, none"]


def test_the_digest_of_a_judge_follows_its_settings():
    first, same, other = (told_judges([j])["sync"] for j in (Sync(), Sync(), Sync(delta=0.2)))
    assert first == same != other
