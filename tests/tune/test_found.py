"""What a study shows: the table, the lines, the picture, and a path into a record."""

import pytest
from tuned import OBJECTIVES, begun, plan, run, value

from bench.errors import Failed
from bench.tune import study
from bench.tune.front import picture
from bench.tune.scored import _number
from bench.tune.shown import printed, shown, tried
from bench.tune.work import Outcome


def test_the_front_is_marked_and_its_lines_can_be_pasted(capsys):
    s = begun()
    run(s)
    shown(plan(common=("control=melqcd", "split=val")), s, 6)
    said = capsys.readouterr().out
    best = [t for t in tried(plan(), s) if t.front]
    assert 0 < len(best) < 6
    for t in best:
        line = f"bench run control=melqcd control.bound={t.setting['control.bound']} control.bands={t.setting['control.bands']}\n"
        assert line in said
    assert said.count("bench run") == len(best)
    assert "6 of 6 settings tried." in said


def test_a_value_is_printed_with_its_interval():
    accuracy = study.Objective("ACC", (), "onset_acc", "higher", scale=100.0, digits=1)
    assert printed(accuracy, 0.523, (0.5, 0.55)) == "52.3 [50.0, 55.0]"
    assert printed(accuracy, 0.523) == "52.3"


@pytest.mark.parametrize("many", [1, 2, 3])
def test_a_picture_names_every_setting_in_each_panel(many, tmp_path):
    objectives = (*OBJECTIVES, study.Objective("third", (), "fid", "lower"))[:many]
    s = begun(objectives=objectives)
    run(s, lambda setting: Outcome((*value(setting).values, 1.0)[:many]))
    png, svg = picture(plan(objectives=objectives), tried(plan(objectives=objectives), s), tmp_path)
    assert png.read_bytes()[:4] == b"\x89PNG"
    panels = {1: 1, 2: 1, 3: 3}[many]
    assert svg.read_text().count(">bound=") == 6 * panels
    again = picture(plan(objectives=objectives), tried(plan(objectives=objectives), s), tmp_path / "again")[1]
    assert again.read_bytes() == svg.read_bytes()


def test_a_path_into_a_record_may_pass_keys_with_dots():
    record = {"id": "r", "scores": {"onset_acc.condfoley": {"value": 0.5}}, "facts": {"predictor": {"code": {"acc": 0.3}}}}
    assert _number(record, "scores.onset_acc.condfoley.value") == 0.5
    assert _number(record, "facts.predictor.code.acc") == 0.3
    with pytest.raises(Failed, match="no number at facts.predictor"):
        _number(record, "facts.predictor")
