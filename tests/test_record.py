import json
import resource
import subprocess
import sys

import pandas as pd
import pytest

from bench.errors import Refused
from bench.record import Record, frame, read, rows


def record(id, bound=1, value=0.5):
    experiment = {"control": {"is": "MelQCD", "bound": bound}}
    return Record(id, "run", "done", ["control=melqcd"], experiment, {"mkl.lab": {"value": value, "n": 3}})


def clips(value):
    return pd.DataFrame(
        {"clip": ["a", "007"], "sample": [0, 0], "metric": "mkl.lab", "value": [value, None], "status": ["ok", "undefined"]}
    )


def test_every_record_is_a_row_with_dotted_columns(tmp_path):
    for r in (record("b", bound=2), record("a")):
        r.write(tmp_path)
    found = frame(tmp_path)
    assert found["experiment.control.bound"].tolist() == [1, 2]
    assert found["scores.mkl.lab.value"].tolist() == [0.5, 0.5]


def test_no_records_are_an_empty_table(tmp_path):
    assert frame(tmp_path).empty
    assert rows(tmp_path).empty


def test_the_rows_of_all_records_or_of_some_come_with_their_record(tmp_path):
    record("a").write(tmp_path, clips(0.25))
    record("b").write(tmp_path, clips(0.75))
    record("c").write(tmp_path)
    assert rows(tmp_path).groupby("record")["value"].max().to_dict() == {"a": 0.25, "b": 0.75}
    one = rows(tmp_path, ["b"])
    assert one["clip"].tolist() == ["a", "007"]  # an id is text, also when it looks like a number
    assert one["value"].isna().tolist() == [False, True]


def test_nan_is_null_in_the_file(tmp_path):
    path = record("a", value=float("nan")).write(tmp_path)
    assert json.loads(path.read_text())["scores"]["mkl.lab"]["value"] is None


@pytest.mark.parametrize("text", ["", "[]", '{"id": 3, "scores": {}}', "{", "\x00"])
def test_a_file_that_is_no_record_is_named(tmp_path, text):
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(Refused, match="odd.json is not a record"):
        read(tmp_path)


def test_rows_outside_the_results_folder_are_refused(tmp_path):
    inside = tmp_path / "results"
    path = record("a").write(inside, clips(0.5))
    (tmp_path / "secret.csv").write_text("clip\n")
    path.write_text(path.read_text().replace("rows/a.csv", "../secret.csv"))
    with pytest.raises(Refused, match="names rows at"):
        rows(inside)


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
from pathlib import Path
from bench.errors import Refused
from bench.record import Record
try:
    Record("a", "run", "done", [], {}, {"x": {"value": 1.0, "why": "x" * 500}}).write(Path(sys.argv[1]))
except Refused as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    """No file may grow past 100 bytes: what a full disk or quota does to a write."""
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "results")], capture_output=True, text=True, check=True)
    assert "cannot write the record" in done.stdout
    assert "machine.results=" in done.stdout
    assert list((tmp_path / "results").iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100


def test_a_folder_that_cannot_be_made_is_named():
    from pathlib import Path

    with pytest.raises(Refused, match="/proc/nowhere"):
        record("a").write(Path("/proc/nowhere/results"))
