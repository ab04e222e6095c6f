"""Hostile labels, ids and settings in the formats beside the page: CSV, terminal, Markdown, LaTeX."""

import csv
import importlib.util
import io
from pathlib import Path

import pytest

from bench.report.make import report

_spec = importlib.util.spec_from_file_location("pages", Path(__file__).parent / "pages.py")
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return report(str(pages.stored(folder, film=False)), [folder])


def test_no_cell_of_a_csv_is_a_formula_and_no_text_steers_a_terminal(made, capsys):
    from bench.report.make import show

    rows = list(csv.reader(io.StringIO(made.text("csv"))))
    texts = [row[i] for row in rows for i in (0, 2, 3, 4, 5, 14)]
    assert "'=HYPERLINK(1)" in texts
    assert not [t for t in texts if t[:1] in ("=", "+", "-", "@")]
    show(made, "terminal", 100)
    out = capsys.readouterr().out
    assert "evil" in out
    assert not {"\x1b", "\u202e"} & set(out)


def test_latex_of_hostile_labels_parses_and_holds_no_command_of_theirs(made, results):
    from pylatexenc.latexwalker import LatexMacroNode, LatexWalker

    def commands(nodes):
        for node in nodes or ():
            if isinstance(node, LatexMacroNode):
                yield node.macroname
                yield from commands([a for a in (node.nodeargd.argnlist if node.nodeargd else []) if a is not None])
            yield from commands(getattr(node, "nodelist", None))

    for one in (made, report("table2", [results])):
        nodes, _, _ = LatexWalker(one.text("latex"), tolerant_parsing=False).get_latex_nodes()
        ours = {"centering", "caption", "resizebox", "textwidth", "toprule", "midrule", "bottomrule", "cmidrule", "multicolumn", "textbf",
                "underline", "par", "smallskip", "noindent", "footnotesize", "\\"}  # fmt: skip
        signs = {"textbackslash", "textless", "textgreater", "textbar", "textasciitilde", "textasciicircum", "downarrow", "uparrow", "ldots",
                 "lambda", *"{}&%$#_"}  # fmt: skip
        assert set(commands(nodes)) <= ours | signs
