"""All records of all sweeps in one folder: every report finds its own, and none finds two for one place."""

from pathlib import Path

import pytest

from bench.identity import plain, told
from bench.record import Record
from bench.report.cells import Cells
from bench.report.make import report
from bench.sweep import Line, checked, read

ROOT = Path(__file__).resolve().parent.parent
SWEEPS = [*(f"table{n}" for n in range(1, 8)), "lambda_k", "released_vs_clean"]
ONE = ("sampling.seed=0", "prompt=label")
BESIDE = [  # what somebody may try besides
    "control=melqcd control.temporal=mean predicted=all",
    "control=melqcd control.temporal=mean predicted=[code]",
    "control=melqcd control.frequency=mel_sparse predicted=none",
    "control=melqcd inversion=adapter inversion.tokens=4 predicted=all",
]


def test_every_place_of_every_report_has_one_signal_though_all_records_lie_together(tmp_path):
    ours: dict[str, set[str]] = {}
    lines = {name: read(str(ROOT / "sweeps" / f"{name}.yaml"), ONE) for name in SWEEPS}
    for name, some in {**lines, "beside": [Line(tuple(text.split())) for text in BESIDE]}.items():
        runs = checked(some, allow_missing=True)[0]
        ours[name] = {run.row.id for run in runs}
        for run in runs:
            kind = "reference" if run.row.reference else "run"
            scores = {"mkl.lab": {"value": 1.0, "low": 0.9, "high": 1.1, "n": 40}}
            facts = {"clips_hash": "one", "bits_per_slot": 1.0, "reals_per_slot": 0, "slots_per_second": 25, "codes": 3}
            Record(run.row.id, kind, "done", [], {"name": run.row.name} | told(run.row.x), scores, facts).write(tmp_path)
    for name in SWEEPS:
        made = report(str(ROOT / "reports" / f"{name}.yaml"), [tmp_path])
        places = [(Cells(g, made.spec), row, form) for g, _ in made.groups for form in made.spec.forms for row in made.spec.rows]
        found = [(row.label, form.name, *cells.records(row, form)) for cells, row, form in places]
        assert [f for f in found if f[3] not in ("", "not run")] == [], name
        assert ours[name] <= {r.id for f in found for r in f[2]}, f"{name}: runs of its own sweep that the report does not show"


@pytest.mark.parametrize(
    "name", ["melqcd", "onset", "energy", "lowres", "clip", "encodec", "oracle", "none", "none inversion=adapter"]
)
def test_a_record_of_today_stands_in_one_table_with_those_that_were_kept(name):
    """A setting that came later and that older records do not name must be told in bench/report/select.py, or it tells them apart."""
    from bench.report.select import CLEAN, SEEDS, WORDS_SEED, flat, kept
    from bench.settings import compose

    x, _ = compose(*f"control={name} data.test=150 predicted=none".split(), site=False)
    now = flat({"experiment": plain(x)})
    same = ("experiment.control.is", "experiment.inversion.is", "experiment.prompt")
    older = [r for r in kept([ROOT / "results" / "reference"]) if r.told["kind"] == "run"]
    older = [r for r in older if all(r.flat.get(k) == now[k] for k in same)]
    assert older
    for record in older:
        unnamed = {k for k in now if k not in record.flat and k not in (*CLEAN, *SEEDS, WORDS_SEED)}
        assert not unnamed, f"{record.id}: say what older records were made with"
