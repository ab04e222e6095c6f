"""A report that nobody wrote, and curves over a setting."""

from dataclasses import replace

import pytest

from bench.errors import Refused
from bench.report.every import every
from bench.report.make import report
from bench.report.select import kept


def test_a_report_of_all_has_a_row_for_every_setting(results):
    records = kept([results])
    spec = every(records, {"experiment.control.is": ["MelQCD", "Onset"]})
    assert [r.label for r in spec.rows] == ["MelQCD, all", "MelQCD, none", "Onset, all", "Onset, none"]
    assert {len(r.where["id"]) for r in spec.rows} == {3}  # seeds share a row
    made = report("all", [results], {"experiment.control.is": "Energy"})
    assert [[line.label for line in tables[0].lines] for _, tables in made.groups] == [["Energy, all"], ["Energy, none"]]
    with pytest.raises(Refused, match="no finished result|none of"):
        every(records, {"experiment.prompt": "nobody's"})


def test_a_report_of_all_ranks_what_was_predicted_beside_its_like_and_floors_beside_each(tmp_path, keep):
    keep(tmp_path, "Onset", predicted="none", worse=-0.2)
    for control in ("Onset", "MelQCD"):
        keep(tmp_path, control, predicted="all")
    keep(tmp_path, "NoControl", predicted="none", worse=-0.4, change={"inversion": {"is": "NoInversion"}})
    keep(tmp_path, "NoControl", predicted="none", change={"prompt": "generic", "inversion": {"is": "NoInversion"}})
    made = report("all", [tmp_path])
    lines = [{line.label: line.ranked for line in tables[0].lines} for _, tables in made.groups]
    assert lines == [
        {"MelQCD, all": True, "Onset, all": True, "NoControl, none, prompt=label": False},
        {"Onset, none": True, "NoControl, none, prompt=label": False},
        {"NoControl, none, prompt=generic": False},
    ]
    assert ["predicted=all" in group.about for group, _ in made.groups] == [True, False, False]


def test_a_score_that_does_not_tell_its_clips_stands_apart(tmp_path, keep):
    import json

    from bench.report.select import groups
    from bench.report.spec import load

    keep(tmp_path, "MelQCD", predicted="none")
    told = json.loads(next(tmp_path.glob("*.json")).read_text()) | {
        "id": "0" * 16,
        "kind": "score",
        "facts": {"system": "SpecVQGAN"},
    }
    (tmp_path / f"{told['id']}.json").write_text(json.dumps({k: v for k, v in told.items() if k != "experiment"}))
    shown, _ = groups(kept([tmp_path]), load("table1"), {})
    assert [[r.told["kind"] for r in g.records] for g in shown] == [["score"]]
    assert [r.id for g in report("all", [tmp_path]).groups for r in g[0].records if r.outside] == [told["id"]]


def test_a_curve_goes_through_the_rows_in_the_order_of_their_setting(tmp_path, keep):
    from bench.report.cells import Cells
    from bench.report.curves import curve
    from bench.report.select import groups
    from bench.report.spec import Curve, Form, RowSpec, Spec

    for bands in (32, 8, 16):
        keep(tmp_path, "MelQCD", change={"control": {"is": "MelQCD", "bands": bands}}, worse=bands / 100)
    rows = tuple(RowSpec(f"K={k}", {"experiment.control.bands": k}) for k in (32, 8, 16))
    spec = Spec("k", "K", rows, (Form("true", {}),), ("mkl",), curves=(Curve("over K", "experiment.control.bands"),))
    cells = Cells(groups(kept([tmp_path]), spec, {})[0][0], spec)
    (line,) = curve(cells, spec.curves[0]).axes[0].get_lines()[:1]
    assert list(line.get_xdata()) == [8, 16, 32]
    assert list(line.get_ydata()) == sorted(line.get_ydata())


def test_without_records_a_report_says_what_makes_them_and_a_misspelt_condition_what_was_meant(results, tmp_path):
    with pytest.raises(Refused, match="there is no record in .* yet: `bench run control=melqcd` makes some"):
        report("all", [tmp_path / "nowhere"])
    with pytest.raises(Refused, match="there is no record in .* yet: `bench sweep table2` makes them"):
        report("table2", [tmp_path / "nowhere"])
    with pytest.raises(Refused, match="no record has such a setting. Did you mean 'experiment.prompt'") as refused:
        report("all", [results], {"experiment.promt": "label"})
    assert "Known" not in str(refused.value)  # there are dozens


def test_rows_are_not_told_apart_by_a_setting_that_older_records_do_not_name(tmp_path, keep):
    keep(tmp_path, "MelQCD", change={"prompt": "label"})
    keep(tmp_path, "MelQCD", change={"prompt": "generic", "looks": {"is": "LabLooks", "path": ""}})
    assert [r.label for r in every(kept([tmp_path]), {}).rows] == ["MelQCD, none, prompt=generic", "MelQCD, none, prompt=label"]


def test_a_long_name_of_a_row_goes_on_below_in_the_terminal():
    from bench.grid import Grid

    grid = Grid([("", "a")], names=12)
    grid.add("melqcd, true hints", ["1"])
    assert grid.text().plain.splitlines()[-2:] == ["melqcd, true   1", "  hints"]
    grid.add("none, prompt=generic", ["2"])
    assert grid.text().plain.splitlines()[-2:] == ["none,              2", "  prompt=generic"]  # a word stays whole


def test_no_line_of_a_table_is_wider_than_the_terminal(results):
    from io import StringIO

    from rich.console import Console

    from bench.report.render import to_terminal

    tables = report("all", [results]).tables
    for width in (60, 80, 160):
        said = Console(file=StringIO(), width=width, highlight=False, soft_wrap=True)
        to_terminal(said, [replace(t, above=[], below=[], title="t") for t in tables])
        lines = said.file.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        values = [cell.text.partition(" [")[0] for table in tables for row in table.lines for cell in row.cells]
        assert all(value in said.file.getvalue() for value in values)


def test_an_axis_of_codebooks_is_logarithmic_and_its_picture_is_a_file_of_the_report(tmp_path, keep):
    from bench.report.cells import Cells
    from bench.report.curves import curve
    from bench.report.picture import pictures
    from bench.report.select import groups
    from bench.report.spec import Curve, Form, RowSpec, Spec

    lengths = (6561, 2**25, 2**74)
    for length in lengths:
        keep(tmp_path, "MelQCD", change={"control": {"is": "MelQCD", "bands": length}})
    rows = tuple(RowSpec(f"K={k}", {"experiment.control.bands": k}) for k in lengths)
    spec = Spec("k", "K", rows, (Form("true", {}),), ("mkl",), curves=(Curve("codes", "experiment.control.bands"),))
    (group,) = groups(kept([tmp_path]), spec, {})[0]
    figure = curve(Cells(group, spec), spec.curves[0])
    assert figure is not None
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["6,561", "2^25", "2^74"]
    assert {p.name for p in pictures(spec, [group], tmp_path)} == {"k-curve.png", "k-curve.svg"}
