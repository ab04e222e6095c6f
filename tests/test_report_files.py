"""What a report writes: text that stays text, the picture, and refusals of files that are none."""

import json
import re
import subprocess
import sys

import pytest

from bench.errors import Refused
from bench.report.make import report, write
from bench.report.picture import best_so_far, front, points
from bench.report.render import md, tex
from bench.report.spec import load


@pytest.mark.parametrize(
    "text",
    ["a|b", "<script>alert(1)</script>", "x_1*2*", "100 % & more", r"\input{/etc/passwd}", "[x](javascript:y)", "$x^2$ #1 ~"],
)
def test_labels_come_out_as_text_in_every_format(text):
    assert not re.search(r"(?<!\\)[|*_\[\]`$#]|<|>", md(text).replace("&lt;", "").replace("&gt;", "").replace("&amp;", ""))
    commands = re.sub(r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar)\{\}", "", tex(text))
    assert not re.search(r"(?<!\\)[&%$#_]|\\[a-z]|\^|~", commands)
    assert commands.count("{") == commands.count("}")


def test_the_front_is_what_no_other_signal_beats(results):
    from bench.report.cells import Cells

    made = report("table2", [results])
    cells = Cells(made.groups[0][0], made.spec)
    found = points(cells, cells.columns["mkl"])
    cost = {p.label: (round(p.bits), round(p.reals)) for p in found}
    assert cost == {"Mel-QCD": (318, 50), "Onset": (25, 0), "Energy": (0, 25), "Low-resolution mel": (0, 200)}
    assert {p.label for p in front(found, cells.columns["mkl"])} == set(cost)  # each is cheaper than all that are better
    for p in found:
        object.__setattr__(p, "reals", 0.0)
    assert {p.label for p in front(found, cells.columns["mkl"])} == {"Mel-QCD", "Low-resolution mel"}


def test_a_signal_that_is_no_better_than_text_alone_is_on_no_front(results):
    from bench.report.cells import Cells

    made = report("table2", [results])
    column = Cells(made.groups[0][0], made.spec).columns["mkl"]
    found = points(Cells(made.groups[0][0], made.spec), column)
    worst = max(found, key=lambda p: p.predicted.value)
    assert worst in front(found, column)
    assert worst not in front(found, column, worst.predicted.value)
    assert front(found, column, 0.0) == []


def test_the_steps_go_only_where_more_buys_more(results):
    from bench.report.cells import Cells

    made = report("table2", [results])
    mkl, onsets = (Cells(made.groups[0][0], made.spec).columns[m] for m in ("mkl", "onset_acc"))  # lower and higher is better
    costs = [(750, 3.0), (25, 4.0), (317, 2.5), (25, 4.5), (1500, 2.4)]
    assert best_so_far(costs, mkl) == [(25, 4.0), (317, 2.5), (1500, 2.4)]
    assert best_so_far(costs, onsets) == [(25, 4.5)]
    assert best_so_far([], mkl) == []


def test_a_folder_gets_all_formats_and_the_picture(results, tmp_path):
    for path in results.glob("*.json"):  # fewer systems make the same files in less time
        if (
            json.loads(path.read_text())["experiment"]["sampling"]["seed"]
            or '"is": "E' in path.read_text()
            or '"is": "O' in path.read_text()
        ):
            path.unlink()
    paths, notes = write(report("table2", [results]), tmp_path / "out", None, [results])
    assert [p.name for p in paths] == [
        *("table2.md", "table2.csv", "table2.tex", "table2.html", "table2-tradeoff.png", "table2-tradeoff.svg")
    ]
    assert "does not fit" not in " ".join(notes)
    assert paths[4].read_bytes()[:4] == b"\x89PNG"
    svg = paths[5].read_text()
    assert all(word in svg for word in ("Mel-QCD: 318 bits/s + 50 reals/s", "Procedural world", "none (text alone)"))
    again, _ = write(report("table2", [results]), tmp_path / "again", None, [results])
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(paths, again, strict=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: x\nrows: []\nforms: []\nmetrics: [fid]", "must not be empty"),
        ("title: x\nrows: [{label: a, where: {}}]\nforms: [{name: t, where: {}}]\nmetrics: [fdi]", "Did you mean 'fid'"),
        ("title: x\nrows: [{label: a, wher: {}}]\nforms: []\nmetrics: []", "Did you mean 'where'"),
        ("title: x\nrows: [{label: a, where: {}}]\nforms: [{name: true, where: {}}]\nmetrics: [fid]", "a name in quotes"),
        ("title: x\nrows: [{label: a, where: {}}]\nforms: [{name: t, where: {}}]\nmetrics: [fid]\ngap: [t, u]", "no form 'u'"),
        ("title: x\nrows: [{label: a, where: {}, same: {t: u}}]\nforms: [{name: t, where: {}}]\nmetrics: [fid]", "no form 'u'"),
        ("title: x\nrows: [{label: a, where: {}, same: t}]\nforms: [{name: t, where: {}}]\nmetrics: [fid]", "same is a mapping"),
    ],
)
def test_a_file_that_is_no_report_is_refused_by_name(tmp_path, text, said):
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(Refused, match=said) as error:
        load(str(tmp_path / "odd.yaml"))
    assert "odd.yaml" in str(error.value)


def test_a_report_without_records_says_how_to_make_some(tmp_path):
    with pytest.raises(Refused, match="bench sweep table2"):
        report("table2", [tmp_path])


def test_a_report_is_printed_without_torch(results):
    code = (
        "import sys; from bench.cli import main\n"
        f"main(['report', 'table2', 'machine.results={results}'])\n"
        "print('HEAVY', sorted({'torch', 'diffusers', 'transformers', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "HEAVY []" in done.stdout, done.stderr[-2000:]
    assert "Mel-QCD" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
