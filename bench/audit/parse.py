"""Tables out of CSV and LaTeX: headings that name a metric or bear an arrow are columns of values, all others belong to the row's name."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from bench.audit.table import NUMBER, Cell, Column, Table, column, known
from bench.errors import Refused

LIMIT = 4_000_000  # bytes of a file with one table in it
UP, DOWN = "↑", "↓"
BOLD = r"\\(?:textbf|mathbf|boldsymbol|bm)\s*\{([^{}]*)\}|\{\s*\\(?:bf|bfseries)\b([^{}]*)\}|\*\*([^*]*)\*\*|<b>([^<]*)</b>"


def text_of(path: Path) -> str:
    """The text of a file; Refused for one that is too large or no UTF-8."""
    if path.stat().st_size > LIMIT:
        raise Refused(f"{path}: {path.stat().st_size} bytes are more than a table has ({LIMIT})")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not UTF-8 text: {error}") from error


def from_csv(name: str, text: str) -> Table:
    """First line: headings; commas, semicolons or tabs between cells. **66.67** is bold."""
    head = text.partition("\n")[0]
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=max(",;\t", key=head.count)))
    except csv.Error as error:
        raise Refused(f"{name} cannot be read as CSV: {error}") from error
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    if len(lines) < 2:
        raise Refused(f"{name}: a table needs a line of headings and lines of values")
    return _table(name, name, lines[0], lines[1:])


def from_latex(name: str, text: str) -> Table:
    r"""The first tabular of a file; \textbf is bold, \multicolumn over headings says which block they belong to."""
    text = re.sub(r"(?<!\\)%[^\n]*", "", text)
    found = re.search(r"\\begin\{(tabular[*x]?|tabularx)\}(.*?)\\end\{\1\}", text, re.S)
    if not found:
        raise Refused(f"{name}: no tabular in it")
    body = re.sub(r"\\(?:top|mid|bottom|h|cmid|c)(?:rule|line)\b(?:\([^)]*\))?(?:\{[^}]*\})?", "", found[2])
    lines = [[_cell(c) for c in re.split(r"(?<!\\)&", line)] for line in re.split(r"\\\\(?:\[[^\]]*\])?", body)]
    spread = [[one for text, span in line for one in [text] * span] for line in lines if any(t for t, _ in line)]
    first = next((i for i, line in enumerate(spread) if sum(bool(NUMBER.fullmatch(_plain(c))) for c in line) > 1), len(spread))
    if not 0 < first < len(spread):
        raise Refused(f"{name}: needs lines of headings and, below them, lines of values")
    heads = spread[first - 1]
    over = spread[first - 2] if first > 1 else []
    over = [*over, *[""] * (len(heads) - len(over))] if first > 1 else [""] * len(heads)
    caption = re.search(r"\\caption\{((?:[^{}]|\{[^{}]*\})*)\}", text)
    title = _plain(_cell(caption[1])[0]) if caption else name
    headed = [h or o for h, o in zip(heads, over, strict=False)]
    blocks = ["" if h == "" or o == h else o for h, o in zip(heads, over, strict=False)]
    return _table(name, title, headed, spread[first:], blocks)


def _table(name: str, title: str, heads: Sequence[str], lines: list[list[str]], blocks: Sequence[str] = ()) -> Table:
    blocks = blocks or [""] * len(heads)
    made = [_column(_plain(h), _plain(b)) for h, b in zip(heads, blocks, strict=False)]
    kept = [i for i, c in enumerate(made) if c is not None]
    rows = []
    for line in lines:
        cells = line + [""] * (len(heads) - len(line))
        values = tuple(_value(cells[i]) for i in kept)
        label = ", ".join(t for i in range(len(heads)) if i not in kept and (t := _plain(cells[i])))
        if any(v.text for v in values):
            rows.append((label or f"row {len(rows) + 1}", values))
    return Table(Path(name).stem, title, tuple(c for c in made if c is not None), tuple(rows))


def _column(head: str, block: str) -> Column | None:
    arrow = "higher" if UP in head else "lower" if DOWN in head else ""
    plain = " ".join(re.sub(rf"[{UP}{DOWN}]", " ", head).split())
    if not arrow and known(plain) is None:
        return None
    return column(plain, " ".join(re.sub(rf"[{UP}{DOWN}]", " ", block).split()), arrow)


def _value(text: str) -> Cell:
    """The cell's number, without percent sign; "" where it holds none."""
    plain = _plain(text).rstrip("%").strip()
    return Cell(plain if NUMBER.fullmatch(plain) else "", bool(re.search(BOLD, text)))


def _plain(text: str) -> str:
    """`text` without the marks of bold."""
    for _ in range(4):
        text = re.sub(BOLD, lambda m: next(g for g in m.groups() if g is not None), text)
    return " ".join(text.split())


def _cell(text: str) -> tuple[str, int]:
    """(text of a LaTeX cell with bold still marked, columns that it spans)."""
    span = 1
    for _ in range(8):  # from the innermost braces outwards
        wide = re.search(r"\\multicolumn\s*\{(\d{1,2})\}", text)
        span = int(wide[1]) if wide else span
        before = text
        text = re.sub(r"\\multicolumn\s*\{\d+\}\s*\{[^{}]*\}\s*\{([^{}]*)\}", r"\1", text)
        text = re.sub(r"\\multirow\s*(?:\[[^\]]*\])?\{[^{}]*\}\s*\{[^{}]*\}\s*\{([^{}]*)\}", r"\1", text)
        text = re.sub(r"\\(?:cite\w*|ref|label|cellcolor|rowcolor|vspace|hspace)\s*(?:\[[^\]]*\])?\{[^{}]*\}", "", text)
        text = re.sub(r"\\(?:underline|textit|emph|text|mathrm|textrm|textsc|makecell|uline)\s*\{([^{}]*)\}", r"\1", text)
        if text == before:
            break
    for mark, plain in (
        (r"\uparrow", UP),
        (r"\downarrow", DOWN),
        (r"\checkmark", "✓"),
        (r"\times", "✗"),
        (r"\%", "%"),
        ("~", " "),
    ):
        text = text.replace(mark, plain)
    text = re.sub(r"[$^]|(?<!\\)\\(?![a-zA-Z])", "", text)
    return " ".join(re.sub(r"\\(?!textbf|mathbf|boldsymbol|bm\b|bf)[a-zA-Z]+", "", text).split()), span
