"""A printed table: values as they stand on paper, digits included, with what is known about the number of clips behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import shelf
from bench.errors import Refused, near
from bench.metrics import columns as known_columns
from bench.metrics.base import Metric

BUILT_IN = Path(__file__).resolve().parent / "published"
NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,9})?")  # what a cell may hold: no nan, no powers of ten
LARGEST = 10**7  # clips
KEYS = {"title": str, "source": str, "clips": (int, str), "about": str, "columns": list, "rows": dict}


@dataclass(frozen=True)
class Column:
    """better: "" where the file does not say which end is best. unit: "%" for a share of something counted."""

    metric: str
    form: str = ""  # which of several blocks of the table: true hints, predicted
    better: str = ""
    unit: str = ""

    @property
    def name(self) -> str:
        return f"{self.metric}, {self.form}" if self.form else self.metric


@dataclass(frozen=True)
class Cell:
    """text: the number as printed, "" for an empty cell."""

    text: str
    bold: bool = False

    @property
    def value(self) -> float:
        return float(self.text) if self.text else float("nan")


@dataclass(frozen=True)
class Table:
    """clips: the least and the greatest number of clips that the source allows, None where it tells none."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    clips: tuple[int, int] | None = None
    source: str = ""
    about: str = ""

    def cells(self, place: int) -> list[tuple[str, Cell]]:
        """(row, cell) of the column at `place`, without empty ones."""
        return [(label, cells[place]) for label, cells in self.rows if cells[place].text]

    @property
    def marked(self) -> bool:
        """Whether the file itself says what is bold."""
        return any(cell.bold for _, cells in self.rows for cell in cells)


def load(name: str, clips: str | None = None) -> Table:
    """The table called `name`: a built-in one (`table2`), or a file: YAML (ours or a report's with a published block), CSV, LaTeX.

    clips: "150" or "1050..1199" takes the place of what the file says. Raises Refused naming what is wrong.
    """
    path = Path(name)
    if path.is_file():
        table = _from_file(path)
    elif name.removesuffix(".yaml") in built_in():
        table = _from_yaml(BUILT_IN / f"{name.removesuffix('.yaml')}.yaml")
    else:
        raise Refused(f"{name}: neither a file (yaml, csv, tex) nor a built-in table.{near(name, built_in())}")
    if not table.columns or not table.rows:
        raise Refused(f"{name}: found no column of numbers under a metric's name or an arrow")
    return replace(table, clips=_clips(clips, "--clips")) if clips else table


def built_in() -> list[str]:
    """Names of the tables that came along."""
    return sorted(path.stem for path in BUILT_IN.glob("*.yaml"))


def known(label: str) -> Metric | None:
    """The metric of the harness that a heading such as `Class ACC ↑` names."""
    plain = re.sub(r"[^a-z0-9]+", " ", label.casefold()).strip()
    found = {re.sub(r"[^a-z0-9]+", " ", m.label.casefold()): m for m in known_columns()}
    return found.get(plain)


def column(metric: str, form: str = "", better: str = "", unit: str = "") -> Column:
    """A column; what is not given is taken from the harness's metric of that name."""
    ours = known(metric)
    if ours:
        return Column(ours.label, form, better or ours.better, unit or ours.unit if ours.unit == "%" else unit)
    return Column(metric, form, better, unit or ("%" if re.search(r"%|\bacc\b|accuracy", metric.casefold()) else ""))


def number(text: str, where: str) -> str:
    """`text` if it is a number as tables print them; Refused naming `where` otherwise."""
    if not NUMBER.fullmatch(text):
        raise Refused(f"{where}: {text[:40]!r} is not a number such as 66.67")
    return text


def _from_file(path: Path) -> Table:
    from bench.audit.parse import from_csv, from_latex, text_of

    kind = path.suffix.casefold()
    if kind in (".yaml", ".yml"):
        return _from_yaml(path)
    if kind in (".csv", ".tsv"):
        return from_csv(path.name, text_of(path))
    if kind in (".tex", ".latex"):
        return from_latex(path.name, text_of(path))
    raise Refused(f"{path}: a table is a .yaml, .csv or .tex file")


def _from_yaml(path: Path) -> Table:
    import yaml

    from bench.audit.parse import text_of

    try:
        told = yaml.safe_load(text_of(path))
    except yaml.YAMLError as error:
        raise Refused(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if isinstance(told, dict) and isinstance(told.get("published"), dict):
        return _from_report(path)
    told = shelf.read(path, KEYS, needed=("title", "columns", "rows"))
    for c in told["columns"]:
        if not isinstance(c, Mapping) or "metric" not in c or not all(isinstance(v, str) for v in c.values()):
            raise Refused(f"{path}: columns are mappings of words: metric, and form, better and unit where needed; got {c!r}")
        for key in set(c) - {"metric", "form", "better", "unit"}:
            raise Refused(f"{path}: columns: no key {key!r}.{near(str(key), ('metric', 'form', 'better', 'unit'))}")
    made = tuple(column(**c) for c in told["columns"])
    rows = tuple((str(label), _line(str(label), line, len(made), path)) for label, line in told["rows"].items())
    clips = _clips(str(told["clips"]), f"{path}: clips") if "clips" in told else None
    return Table(path.stem, told["title"], made, rows, clips, told.get("source", ""), told.get("about", ""))


def _line(label: str, line: Any, count: int, path: Path) -> tuple[Cell, ...]:
    """Cells of a row written as one string of numbers, so that 62.00 keeps its digits; `-` is an empty cell, *66.67* a bold one."""
    words = line.split() if isinstance(line, str) else []
    if len(words) != count:
        raise Refused(f"{path}: the row {label!r} must be a string of {count} numbers, got {line!r}")
    return tuple(Cell("") if w == "-" else Cell(number(w.strip("*"), f"{path}: {label}"), w.startswith("*")) for w in words)


def _from_report(path: Path) -> Table:
    """The published block of a report; YAML drops final zeros, so a column's numbers get the digits of the longest."""
    from bench.report.spec import metric, read_published

    told = read_published(path)
    forms = list(dict.fromkeys(form for of in told.rows.values() for form in of))
    made = tuple(column(metric(m).label, form) for form in forms for m in told.metrics)
    whole = {row: [v for f in forms for v in of.get(f, [None] * len(told.metrics))] for row, of in told.rows.items()}
    digits = [max(_digits(values[i]) for values in whole.values()) for i in range(len(made))]
    rows = tuple(
        (
            row,
            tuple(Cell("" if v is None else number(f"{v:.{d}f}", f"{path}: {row}")) for v, d in zip(values, digits, strict=True)),
        )
        for row, values in whole.items()
    )
    return Table(path.stem, path.stem, made, rows, None, " ".join(told.source.split()))


def _digits(value: float | None) -> int:
    return 0 if value is None else len(repr(value).partition(".")[2])


def _clips(text: str, where: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,8})(?:\.\.(\d{1,8}))?", text.strip())
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= low <= high <= LARGEST:
        raise Refused(f"{where}: {text[:40]!r} must be a number of clips such as 150, or a range such as 1050..1199")
    return low, high
