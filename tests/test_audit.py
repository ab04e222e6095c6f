"""What a printed table gives away: the known answers of the paper's Tables 1 to 7."""

from dataclasses import replace

import pytest

from bench import shelf
from bench.audit.counts import Fit, against, best_of_range, detectable, fisher, fit, fitting, least_paired
from bench.audit.findings import audit
from bench.audit.table import Cell, built_in, load
from bench.audit.told import lines
from bench.errors import Refused
from bench.report.spec import read_published


def shares(name, metric="Class ACC"):
    return next(s for s in audit(load(name)).shares if s.metric == metric)


@pytest.mark.parametrize("name", ["table2", "table5", "table6"])
def test_every_class_acc_of_tables_2_5_and_6_is_a_count_of_150(name):
    found = shares(name)
    assert found.n == found.stated == 150
    assert all(f is not None for f in found.fits.values())


def test_two_values_of_table_2_are_counts_only_if_rounded_up():
    assert shares("table2").rounded_up == [("65.34", 98), ("69.34", 104)]
    assert shares("table5").rounded_up == shares("table6").rounded_up == []
    said = "\n".join(lines(audit(load("table2"))))
    assert "65.34 is 98/150 = 65.3333 only if it was rounded up" in said
    assert "69.34 is 104/150 = 69.3333 only if it was rounded up" in said


@pytest.mark.parametrize(("name", "outside"), [("table3", {"58.33"}), ("table7", {"47.67", "54.33", "58.33", "55.67"})])
def test_class_acc_of_tables_3_and_7_counts_300(name, outside):
    found = shares(name)
    assert found.n == 300 and set(found.outside) == outside
    assert found.possible[0] == 300


def test_no_count_of_about_1100_fits_more_than_half_of_table_1():
    found = shares("table1")
    assert found.best == (4, (1100,))
    assert not found.counted
    assert best_of_range([t for _, _, t in found.values], 1050, 1199)[0] == 4


def test_the_lead_over_onset_is_no_difference_at_150_clips():
    (bold,) = [b for b in audit(load("table2")).bolds if b.column == "Class ACC, predicted"]
    onset = next(r for r in bold.rivals if r.row == "Onset")
    assert (bold.printed, onset.printed) == ("64.67", "56.67")
    assert onset.p == pytest.approx(0.193, abs=5e-4)
    assert bold.verdict == "open" and bold.detectable == 18


def test_a_lead_of_four_clips_cannot_be_told_even_paired():
    (bold,) = [b for b in audit(load("table2")).bolds if b.column == "Class ACC, true"]
    assert bold.row == "Codec-2" and bold.verdict == "cannot"
    assert min(r.behind for r in bold.rivals) == 4 < least_paired(150)


def test_a_lead_that_every_rival_shows_survives():
    table = load("table2")
    low = tuple((row, (*cells[:6], Cell("64.67" if row == "Ours" else "30.00"), cells[7])) for row, cells in table.rows)
    (bold,) = [b for b in audit(replace(table, rows=low)).bolds if b.column == "Class ACC, predicted"]
    assert bold.verdict == "survives"


def test_fractions_and_percentages_of_one_metric_are_of_unlike_scale():
    one, three = load("table1"), load("table3")
    (found,) = audit(one, [three]).unlike
    assert found.metric == "IB-AV" and found.there == "27.36 to 33.24 in table3"
    assert not audit(one, [one]).unlike


def test_a_fraction_among_percentages_is_found_in_its_own_column():
    table = load("table3")
    rows = tuple((row, (*cells[:4], Cell("0.31" if row == "MQ" else cells[4].text))) for row, cells in table.rows)
    (found,) = audit(replace(table, rows=rows)).unlike
    assert found.here == "0.31" and "in the same column" in found.there


@pytest.mark.parametrize(
    ("text", "n", "found"),
    [
        ("66.67", 150, Fit(100, "nearest")), ("65.34", 150, Fit(98, "up")), ("65.32", 150, None), ("66.66", 150, Fit(100, "cut")),
        ("0.00", 150, Fit(0, "nearest")), ("100.00", 7, Fit(7, "nearest")), ("12.5", 8, Fit(1, "nearest")), ("50", 3, None),
    ],
)  # fmt: skip
def test_a_printed_value_is_a_count_or_is_none(text, n, found):
    assert fit(text, n) == found


def test_a_value_beyond_100_is_no_share():
    assert fit("101.00", 150) is None and fit("-1.00", 150) is None


def test_fisher_is_the_hypergeometric_sum():
    """3 of 3 against 0 of 3: two of the twenty tables with these margins are as extreme."""
    assert fisher(3, 0, 3) == pytest.approx(2 / 20)
    assert against(3, [0, 0], 3) == [(pytest.approx(0.1), pytest.approx(0.2))] * 2


def test_the_smallest_detectable_difference_is_the_first_that_is_told():
    assert fisher(97, 97 - 18, 150) < 0.05 <= fisher(97, 97 - 17, 150)
    assert detectable(97, 150) == 18
    assert detectable(2, 3) is None
    assert least_paired(150) == 6 and least_paired(5) is None


def test_luck_is_no_evidence_for_an_n():
    assert fitting(["33.33"]) == list(range(3, 22, 3))  # 24 and on would fit one value in twenty
    assert fitting(["37.13"]) == []  # of N = 237 and others, by luck alone
    assert fitting(["43.33", "64.67", "58.33", "69.33"])[0] == 300


@pytest.mark.parametrize("name", built_in())
def test_every_built_in_table_can_be_audited_and_told(name):
    assert len(list(lines(audit(load(name))))) > 5


CSV = "Method,Clips,FID ↓,Class ACC ↑\nOurs,1,47.57,**66.67**\n=cmd|'x'!A1,2,65.38,56.67\n<script>,3,nan,62.67\n"
TEX = r"""
\begin{table}\caption{A \textbf{bold} claim}
\begin{tabular}{l|cc|cc} \toprule
% a comment & with an ampersand \\
\multirow{2}{*}{Method} & \multicolumn{2}{c}{Ground Truth} & \multicolumn{2}{c}{Predicted} \\ \cmidrule(lr){2-3}
 & FID$\downarrow$ & Class ACC$^{\uparrow}$ & FID $\downarrow$ & Class ACC $\uparrow$ \\ \midrule
Ours~\cite{x} & \textbf{47.57} & \textbf{66.67} & {\bf 61.00} & $\mathbf{64.67}$ \\
Onset \% & 65.38 & \underline{56.67} & 68.72 & - \\ \bottomrule
\end{tabular}\end{table}
"""


def test_a_csv_table_is_read_with_its_bolds(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(CSV)
    table = load(str(path), clips="150")
    assert [c.name for c in table.columns] == ["FID", "Class ACC"]
    assert [row for row, _ in table.rows] == ["Ours, 1", "=cmd|'x'!A1, 2", "<script>, 3"]
    assert table.rows[0][1] == (Cell("47.57"), Cell("66.67", True)) and table.rows[2][1][0] == Cell("")
    (bold,) = audit(table).bolds
    assert (bold.printed, bold.k, bold.n) == ("66.67", 100, 150)


def test_a_latex_table_is_read_with_its_blocks_and_bolds(tmp_path):
    path = tmp_path / "t.tex"
    path.write_text(TEX)
    table = load(str(path), clips="150")
    assert [c.name for c in table.columns] == [
        "FID, Ground Truth", "Class ACC, Ground Truth", "FID, Predicted", "Class ACC, Predicted",
    ]  # fmt: skip
    assert [c.better for c in table.columns] == ["lower", "higher"] * 2
    assert [row for row, _ in table.rows] == ["Ours", "Onset %"]
    assert [[c.text for c in cells] for _, cells in table.rows] == [
        ["47.57", "66.67", "61.00", "64.67"],
        ["65.38", "56.67", "68.72", ""],
    ]
    assert all(c.bold for c in table.rows[0][1]) and not any(c.bold for c in table.rows[1][1])
    assert table.title == "A bold claim"


def test_the_published_block_of_a_report_is_a_table():
    table = load("reports/table2.yaml", clips="150")
    ours = load("table2")
    assert {c.text for _, cells in table.rows for c in cells} == {c.text for _, cells in ours.rows for c in cells}
    assert [s.rounded_up for s in audit(table).shares] == [s.rounded_up for s in audit(ours).shares]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "x,y\n1,2\n", "no column of numbers"),
        ("a.csv", "", "needs a line of headings"),
        ("a.tex", "no table", "no tabular"),
        ("a.pkl", "x", "a table is a"),
        ("a.yaml", "title: x\ncolumns: [{metric: FID}]\nrows: {a: '1e999'}\n", "not a number"),
        ("a.yaml", "title: x\ncolumns: [{metric: FID}]\nrows: {a: .nan}\n", "string of 1 numbers"),
        ("a.yaml", "title: x\ncolumns: [{metric: FID, colour: red}]\nrows: {a: '1'}\n", "no key 'colour'"),
        ("a.yaml", "title: x\nclips: 1e9\ncolumns: [{metric: FID}]\nrows: {a: '1'}\n", "number of clips"),
        ("a.yaml", "!!python/object/apply:os.system ['true']", "cannot be read as YAML"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_by_name(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(Refused, match=said):
        load(str(tmp_path / name))


def test_an_unknown_table_names_the_nearest():
    with pytest.raises(Refused, match="Did you mean 'table2'"):
        load("tabel2")


@pytest.mark.parametrize("name", built_in())
def test_what_is_audited_is_what_the_reports_print(name):
    """The audit needs the digits as printed, the report the numbers: they stand in two files and must not part."""
    rows = read_published(shelf.find("reports", name)).rows.values()
    audited = [[float(cell.text) for cell in cells] for _, cells in load(name).rows]
    wide = len(audited[0])  # a report may have columns before the metrics
    assert sorted([v for of in row.values() for v in of][-wide:] for row in rows) == sorted(audited)
