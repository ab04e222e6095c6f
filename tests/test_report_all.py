"""A report that nobody wrote, and curves over a setting."""

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
    assert [line.label for line in made.groups[0][1][0].lines] == ["Energy, all", "Energy, none"]
    with pytest.raises(Refused, match="no finished result|none of"):
        every(records, {"experiment.prompt": "nobody's"})


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
