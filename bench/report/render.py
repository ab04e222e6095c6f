"""A table as Markdown, CSV, LaTeX or for the terminal: the same texts, escaped for each."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING
from unicodedata import category

from bench.report.table import Shown, Table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

FORMATS = ("terminal", "md", "csv", "latex")
CSV = (
    "group",
    "table",
    "row",
    "proposed by",
    "form",
    "column",
    "printed",
    "mark",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "runs",
    "why",
)
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # of the direction of writing
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "[": "{[}", "]": "{]}", '"': "{''}", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "–": "--", "…": r"\ldots{}", "λ": r"$\lambda$",
}  # fmt: skip


def plain(text: str) -> str:
    """`text` on one line; what steers a terminal or turns the direction of writing is shown as a box."""
    return "".join("\ufffd" if category(c) == "Cc" or c in TURNING else c for c in " ".join(text.split()))


def markdown(tables: Sequence[Table]) -> str:
    return "\n".join(_markdown(t) for t in tables)


def _markdown(table: Table) -> str:
    heads = [f"{group}: {head}" if group else head for group, head in table.columns]
    lines = [f"## {md(table.title)}", "", *(f"{md(line)}  " for line in table.above), ""]
    lines.append("| signal | proposed by | " + " | ".join(map(md, heads)) + " |")
    lines.append("|---|---|" + "---:|" * len(heads))
    around = {"best": "**{}**", "second": "<u>{}</u>", "": "{}"}
    for line in table.lines:
        label = md(line.label) if line.ranked else f"*{md(line.label)}*"
        lines.append(f"| {label} | {md(line.by)} | " + " | ".join(around[s.mark].format(md(s.text)) for s in line.cells) + " |")
    return "\n".join([*lines, "", *(f"{md(line)}  " for line in table.below), ""])


def md(text: str) -> str:
    """`text` as itself in Markdown and in the HTML that it becomes."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|#~$])", r"\\\1", text)


def as_csv(tables: Sequence[tuple[str, Table]]) -> str:
    """One row for each cell, of (group, table) pairs: what is printed, and the number behind it unrounded and unscaled."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV)
    for group, table in tables:
        for line in table.lines:
            for (over, head), shown in zip(table.columns, line.cells, strict=True):
                texts = [group, table.name, line.label, line.by, over, head, shown.text, shown.mark]
                writer.writerow(list(map(cell, [*texts, *_numbers(shown)])))
    return out.getvalue()


def cell(text: object) -> object:
    """`text` for a spreadsheet: on one line, and with an apostrophe in front where it begins like a formula and is no number."""
    if not isinstance(text, str):
        return text
    text = plain(text)
    return f"'{text}" if re.match(r"[=+\-@]", text) and not re.match(r"[+-][\d.]+(e[+-]?\d+)?\*?(\s|$)", text) else text


def _numbers(shown: Shown) -> list:
    cell, id = shown.cell, shown.column.id if shown.column else ""
    if cell is None:
        return [id, "", "", "", "", "", ""]
    known = ["" if v is None else repr(float(v)) for v in (cell.value, cell.low, cell.high)]
    return [id, *known, cell.n or "", cell.runs or "", cell.why]


def latex(tables: Sequence[Table]) -> str:
    r"""A `table*` each; needs \usepackage{booktabs,graphicx}."""
    return "\n".join(_latex(t) for t in tables)


def _latex(table: Table) -> str:
    groups = [(name, len(list(members))) for name, members in groupby(table.columns, key=lambda c: c[0])]
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{tex(' '.join(line.rstrip('.') + '.' for line in [table.title, *table.above]))}}}",
    ]
    lines += [r"\resizebox{\textwidth}{!}{%", rf"\begin{{tabular}}{{ll{'r' * len(table.columns)}}}", r"\toprule"]
    lines.append(" & & " + " & ".join(rf"\multicolumn{{{n}}}{{c}}{{{tex(name)}}}" for name, n in groups) + r" \\")
    at, rules = 3, []
    for _, n in groups:
        rules.append(rf"\cmidrule(lr){{{at}-{at + n - 1}}}")
        at += n
    lines += [
        " ".join(rules),
        "signal & proposed by & " + " & ".join(tex(head) for _, head in table.columns) + r" \\",
        r"\midrule",
    ]
    around = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
    for i, line in enumerate(table.lines):
        if i and table.lines[i - 1].ranked and not line.ranked:
            lines.append(r"\midrule")
        lines.append(" & ".join([tex(line.label), tex(line.by), *(around[s.mark] % tex(s.text) for s in line.cells)]) + r" \\")
    below = "\n\n".join(rf"\noindent\footnotesize {tex(line)}" for line in table.below)
    return "\n".join(
        [*lines, r"\bottomrule", r"\end{tabular}}", *([r"\par\smallskip", below] if below else []), r"\end{table*}", ""]
    )


def tex(text: str) -> str:
    """`text` as itself in LaTeX; a number's minus is a real one."""
    escaped = "".join(LATEX.get(c, c) for c in plain(text))
    return re.sub(r"(?<![\w)])-(?=\d)", "$-$", escaped)


def to_terminal(console: Console, tables: Sequence[Table]) -> None:
    """Print each table, a group of columns or half of one at a time where it is wider than the terminal."""
    for table in tables:
        console.print(plain(table.title), style="bold", markup=False)
        for line in table.above:
            console.print(plain(line), markup=False)
        for part in _fitting(table, range(len(table.columns)), console.width):
            console.print(part)
        for line in table.below:
            console.print(plain(line), markup=False)
        console.print()


def _fitting(table: Table, shown: Sequence[int], width: int) -> list[Text]:
    """One grid if it is not wider than `width`; else one for each group of columns, or each half of a group."""
    whole = _grid(table, shown)
    if max(map(len, whole.plain.splitlines())) <= width or len(shown) == 1:
        return [whole]
    parts = [list(members) for _, members in groupby(shown, key=lambda i: table.columns[i][0])]
    if len(parts) == 1:
        half = (len(shown) + 1) // 2
        parts = [shown[:half], shown[half:]]
    return [grid for part in parts for grid in _fitting(table, part, width)]


def _grid(table: Table, shown: Sequence[int]) -> Text:
    """Best in bold with ¹, second underlined with ², so that a terminal without styles says it too."""
    from bench.grid import Grid

    grid = Grid([table.columns[i] for i in shown], names=26)
    signs = {"best": "¹", "second": "²", "": ""}
    for line in table.lines:
        cells = [line.cells[i] for i in shown]
        grid.add(
            plain(line.label),
            [s.text.replace(" [", f"{signs[s.mark]} [") if " [" in s.text else s.text + signs[s.mark] for s in cells],
        )
    made = grid.text()
    made.highlight_regex(r"\S+¹", "bold")
    made.highlight_regex(r"\S+²", "underline")
    return made
