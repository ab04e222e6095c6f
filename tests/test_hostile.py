"""Names and reasons with HTML, script, LaTeX, formulas and terminal codes come out of a report as text."""

import csv
import io
import json
import re

import pytest

from bench.report.make import report
from bench.report.render import cell, md, tex

EVIL = "<script>alert(1)</script> \"'> \\input{/etc/passwd} $x_1$ %& | ../../x \x1b[2J\u202e =cmd|'/C calc'!A1"


@pytest.fixture
def evil(results, keep):
    """Records whose every text is hostile: a failed run's reason among them, which reports print."""
    keep(results, "MelQCD", seed=3, status="failed", facts={"why": EVIL, "error": EVIL, "reason": EVIL})
    for path in results.glob("*.json"):
        told = json.loads(path.read_text())
        told["experiment"]["name"] = EVIL
        told["experiment"]["sampling"]["name"] = EVIL
        told["words"] = [EVIL]
        told["facts"] |= {"reason": EVIL, "why": EVIL}
        for score in told["scores"].values():
            score |= {"why": EVIL} if score["value"] is None else {}
        path.write_text(json.dumps(told))
    return results


@pytest.mark.parametrize("format", ["md", "csv", "latex"])
def test_a_report_shows_hostile_texts_as_texts(evil, format):
    said = report("table2", [evil]).text(format)
    assert "alert" in said
    assert "\x1b" not in said and "\u202e" not in said
    if format == "md":
        assert "<script" not in said and not re.search(r"(?<!\\)\|[^\n]*alert[^\n]*(?<!\\)\|\s*\.\.", said)
    if format == "latex":
        assert "\\input" not in said and not re.search(r"(?<!\\)%&", said)
    if format == "csv":
        assert not any(re.match(r"[=@]|\+(?![\d.]+\*?(\s|$))", c) for row in csv.reader(io.StringIO(said)) for c in row)


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd", "-cmd", "+1|cmd"])
def test_a_formula_is_text_in_a_spreadsheet(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-0.3", "+1.5", "12.3", "", "Mel-QCD", "–", -1.5])
def test_numbers_and_names_stay_what_they_are(text):
    assert cell(text) == text


def test_markdown_and_latex_keep_no_markup():
    assert "<" not in md(EVIL) and "\\input" not in tex(EVIL).replace("textbackslash{}input", "")
