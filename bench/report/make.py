"""`bench report`: records in, tables and the picture out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import Failed, Refused
from bench.report.render import as_csv, latex, markdown, md, to_terminal
from bench.report.select import Group, groups, kept
from bench.report.spec import Spec, load
from bench.report.table import Table, published, tables

SUFFIX = {"md": "md", "csv": "csv", "latex": "tex"}


@dataclass(frozen=True)
class Report:
    """Tables of each group of records, the published block once at the end, and what stands in none."""

    spec: Spec
    groups: list[tuple[Group, list[Table]]]
    published: list[Table]
    left: list[str]

    @property
    def tables(self) -> list[Table]:
        return [t for _, found in self.groups for t in found] + self.published

    def text(self, format: str) -> str:
        """The report as md, csv or latex."""
        if format == "csv":
            from bench.report.select import spoken

            named = [(spoken(g.apart) or g.clips_hash, t) for g, found in self.groups for t in found]
            return as_csv([*named, *(("published", t) for t in self.published)])
        if format == "latex":
            return latex(self.tables)
        head = f"# {self.spec.title}\n\n{self.spec.about.strip()}\n"
        return "\n".join([head, markdown(self.tables), *(f"{md(line)}  " for line in self.left)]).rstrip() + "\n"


def report(name: str, folders: Sequence[Path], where: dict[str, Any] | None = None) -> Report:
    """The report called `name` from the records in `folders`; Refused if none suits it."""
    spec = load(name)
    records = kept([f for f in folders if f.is_dir()])
    found, left = groups(records, spec, where or {})
    if not found:
        looked = ", ".join(map(str, folders))
        raise Refused(
            f"none of {len(records)} records in {looked} suits the report {spec.name}: `bench sweep {spec.name}` makes some"
        )
    made = [(group, tables(spec, group)) for group in found]
    return Report(spec, made, [published(spec)] if spec.published else [], left)


def conditions(words: Iterable[str]) -> dict[str, Any]:
    """`experiment.prompt=label` as a condition; several values as [a,b]."""
    import yaml

    found = {}
    for word in words:
        path, equals, value = word.partition("=")
        if not equals or not path:
            raise Refused(f"--where {word}: write PATH=VALUE, for example experiment.prompt=label")
        try:
            found[path] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise Refused(f"--where {word}: {value!r} cannot be read") from error
    return found


def write(made: Report, out: Path, format: str | None) -> list[Path]:
    """The report in `format` (None: md, csv and latex) and its pictures under `out`; the paths."""
    from bench.report.picture import pictures
    from bench.store import replace_file

    try:
        out.mkdir(parents=True, exist_ok=True)
        paths = []
        for kind in [format] if format in SUFFIX else list(SUFFIX):
            path = out / f"{made.spec.name}.{SUFFIX[kind]}"
            replace_file(path, lambda draft, kind=kind: draft.write_text(made.text(kind), encoding="utf-8"))
            paths.append(path)
        return paths + pictures(made.spec, [group for group, _ in made.groups], out)
    except OSError as error:
        raise Failed(f"cannot write the report to {out}: {error.strerror}") from error


def show(made: Report, format: str, width: int | None = None) -> None:
    """Print the report on stdout."""
    if format != "terminal":
        print(made.text(format), end="")
        return
    from rich.console import Console

    console = Console(width=width, highlight=False)
    if width is None and not console.is_terminal:
        console.width = 100
    to_terminal(console, made.tables)
    for line in made.left:
        console.print(line, markup=False)
