"""Departures of the published code in reports: a table of paired differences, and no place where nobody asked for them."""

import json
from pathlib import Path

import pytest

from bench.report.make import report
from bench.report.select import BEFORE, CLEAN
from bench.settings import compose

SPEC = Path(__file__).resolve().parent.parent / "reports" / "released_vs_clean.yaml"
CONTROL = {"is": "MelQCD", "bound": 1, "bands": 8, "reading": "bands", "temporal": "downsample", "frequency": "ds_repeat"}


def made(keep, folder, predicted="all", worse=0.0, *, control=(), predictor=(), inversion=None, **more):
    change = {
        "control": {**CONTROL, "composed": "once", "skew": 0, **dict(control)},
        "predictor": {"width": 128, "supervised": 1.0, "padding": "ignored", "training": {"seed": 0}, **dict(predictor)},
        "inversion": inversion or {"is": "NoInversion"},
    }
    return keep(folder, "MelQCD", predicted, worse=worse, change=tuple(change.items()), **more)


def cell(table, row, form, metric):
    line = next(line for line in table.lines if line.label.startswith(row))
    return next(s for s in line.cells if s.form == form and s.column and s.column.metric.id.startswith(metric))


def table(told, name):
    return next(t for t in told.groups[0][1] if t.name == name)


def test_a_row_is_shown_beside_the_one_it_departs_from_paired_by_clip(keep, tmp_path):
    made(keep, tmp_path)
    made(keep, tmp_path, worse=0.3, control={"composed": "twice"}.items())
    made(keep, tmp_path, predictor={"padding": "target"}.items())
    told = report(str(SPEC), [tmp_path])
    costs = table(told, "differences predicted hints")
    lost = cell(costs, "composed twice", "predicted hints", "class_acc")
    assert lost.cell.value == pytest.approx(-0.15, abs=1e-3)  # 0.5 made worse by three tenths
    assert (
        lost.cell.high - lost.cell.low < 0.002
    )  # each clip loses the same: unpaired, the spread of 0.02 between clips would stand here
    assert lost.text.startswith("-15.00* [")
    assert "*" not in cell(costs, "padding as target", "predicted hints", "class_acc").text
    assert [t.name for t in told.groups[0][1] if t.name.startswith("diff")] == ["differences predicted hints"]
    assert any("all four" in line and "not run" in line for line in costs.below)
    assert "composed twice, skew of 24 frames" in costs.above[-1] and costs.above[-1].endswith("minus clean and pseudo-words.")
    assert "differences predicted hints" in told.text("csv") and "differences, predicted hints" in told.text("md")


def test_pseudo_words_are_compared_with_pseudo_words(keep, tmp_path):
    words = {"is": "Adapter", "tokens": 32, "live": False}
    made(keep, tmp_path)
    made(keep, tmp_path, worse=0.2, inversion=words)
    made(keep, tmp_path, worse=0.3, inversion={**words, "live": True})
    lost = cell(
        table(report(str(SPEC), [tmp_path]), "differences predicted hints"), "live dropout", "predicted hints", "class_acc"
    )
    assert lost.cell.value == pytest.approx(-0.05, abs=1e-3)


def test_seeds_of_a_row_that_names_a_predictor_s_setting_are_averaged(keep, tmp_path):
    for seed in (0, 1):
        made(keep, tmp_path, seed=seed, predictor={"training": {"seed": seed}}.items())
        made(keep, tmp_path, worse=0.3, seed=seed, predictor={"training": {"seed": seed}, "padding": "target"}.items())
    lost = cell(
        table(report(str(SPEC), [tmp_path]), "differences predicted hints"), "padding as target", "predicted hints", "mkl"
    )
    assert lost.cell.value == pytest.approx(0.6, abs=0.01)


def test_only_seeds_that_both_rows_have_are_compared(keep, tmp_path):
    made(keep, tmp_path)
    made(keep, tmp_path, worse=0.9, seed=1, predictor={"training": {"seed": 1}}.items())
    made(keep, tmp_path, worse=0.3, control={"composed": "twice"}.items())
    made(keep, tmp_path, worse=0.3, seed=2, predictor={"training": {"seed": 2}, "padding": "target"}.items())
    costs = table(report(str(SPEC), [tmp_path]), "differences predicted hints")
    assert cell(costs, "composed twice", "predicted hints", "mkl").cell.value == pytest.approx(0.6, abs=0.01)
    assert "no seed in common" in " ".join(costs.below)


def test_a_departure_stands_in_no_table_that_does_not_name_it(keep, tmp_path):
    made(keep, tmp_path)
    made(keep, tmp_path, "none")
    alone = report("table2", [tmp_path]).text("csv")
    made(keep, tmp_path, worse=0.3, control={"composed": "twice"}.items())
    made(keep, tmp_path, worse=0.3, predictor={"supervised": 0.25}.items())
    assert report("table2", [tmp_path]).text("csv") == alone
    named = report("table2", [tmp_path], {"experiment.control.composed": "twice"})
    assert cell(table(named, "narrow"), "Mel-QCD", "predicted", "class_acc").cell.value == pytest.approx(0.35, abs=0.01)


def test_a_record_older_than_a_setting_is_clean(keep, tmp_path):
    id = made(keep, tmp_path)
    told = json.loads((tmp_path / f"{id}.json").read_text())
    for part, names in (("control", ("composed", "skew")), ("predictor", ("supervised", "padding"))):
        for name in names:
            del told["experiment"][part][name]
    (tmp_path / f"{id}.json").write_text(json.dumps(told))
    made(keep, tmp_path, worse=0.3, control={"composed": "twice"}.items())
    lost = cell(
        table(report(str(SPEC), [tmp_path]), "differences predicted hints"), "composed twice", "predicted hints", "class_acc"
    )
    assert lost.cell.value == pytest.approx(-0.15, abs=1e-3)


def test_what_reports_take_for_clean_are_the_settings_defaults():
    x = compose("inversion=adapter", site=False)[0]
    clean = {k.removeprefix("experiment."): v for k, v in CLEAN.items() if not k.startswith("experiment.motion")}
    assert {k: getattr(getattr(x, k.split(".")[0]), k.split(".")[1]) for k in clean} == clean
    assert set(CLEAN) | {"experiment.inversion.is"} == {k for later in BEFORE.values() for k in later}


def test_every_setting_that_came_later_has_a_value_for_older_records():
    from dataclasses import fields, is_dataclass
    from typing import get_type_hints

    from bench.components import groups
    from bench.experiment import Experiment
    from bench.report.select import LATER

    own = {name: [kind] for name, kind in get_type_hints(Experiment).items() if is_dataclass(kind)}
    classes = own | {name: [group.find(n) for n in group.names()] for name, group in groups().items() if name != "machine"}
    came = {
        f"experiment.{part}.{f.name}"
        for part, known in classes.items()
        for c in known
        for f in fields(c)
        if "added" in f.metadata
    }
    assert came, "no setting is marked as one that came later"
    assert came <= {k for told in (BEFORE, LATER) for later in told.values() for k in later}
