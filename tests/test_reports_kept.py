"""The tables under reports/ are what the records under results/reference say: each is printed again by the command that it names."""

import csv
import re
import shlex
from io import StringIO
from pathlib import Path

import pytest

from bench.report.make import conditions, report

ROOT = Path(__file__).resolve().parent.parent
KEPT = sorted((ROOT / "reports").glob("*.md"))


@pytest.fixture(scope="module", params=KEPT, ids=lambda p: p.stem)
def both(request):
    """(the report kept, the same made now)"""
    said = re.search(r"^Printed by `bench report (.*)`\.$", request.param.read_text(), re.MULTILINE)
    assert said, f"{request.param} does not say how it was printed"
    name, *rest = shlex.split(said[1])
    return request.param, report(name, [ROOT / "results" / "reference"], conditions(rest[1:]))


def numbers(line: str) -> tuple[str, list[str]]:
    """A line with its numbers taken out, and these: another processor may round the last digit another way."""
    return re.sub(r"\d+\.\d+", "#", line), re.findall(r"\d+\.\d+", line)


def test_there_are_some():
    assert {p.stem for p in KEPT} >= {f"table{n}" for n in range(1, 8)}


def test_the_table_is_what_the_records_say(both):
    path, made = both
    kept, now = path.read_text().splitlines(), made.text("md").splitlines()
    assert len(kept) == len(now)
    for before, after in zip(kept, now, strict=True):
        (text, old), (same, new) = numbers(before), numbers(after)
        assert text == same
        for one, other in zip(old, new, strict=True):
            assert abs(float(one) - float(other)) < 1.01 * 10.0 ** -len(one.partition(".")[2]), before


def test_the_numbers_behind_it_are_those_of_the_records(both):
    path, made = both
    kept, now = (list(csv.DictReader(StringIO(text))) for text in (path.with_suffix(".csv").read_text(), made.text("csv")))
    assert len(kept) == len(now) > 0
    for before, after in zip(kept, now, strict=True):
        for column in before:
            if column in ("value", "low", "high") and before[column]:
                assert float(after[column]) == pytest.approx(float(before[column]), rel=1e-6, abs=1e-9), before
            elif column != "printed":
                assert after[column] == before[column], before
