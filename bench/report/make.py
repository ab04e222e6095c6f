"""`bench report`: records in, tables and the picture out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.errors import Failed, Refused, near
from bench.report.against import differences
from bench.report.every import EVERY, every, together
from bench.report.html.blind import Tally
from bench.report.marks import p_of
from bench.report.render import as_csv, latex, markdown, md, plain, to_terminal
from bench.report.select import Group, Kept, groups, kept, of_row
from bench.report.spec import Spec, load
from bench.report.table import Table, published, tables

BUDGET_MB = 64.0  # of sounds, films and pictures beside a page
SUFFIX = {"md": "md", "csv": "csv", "latex": "tex"}


@dataclass(frozen=True)
class Votes:
    """What listeners preferred. unknown: votes on records that are in no table."""

    file: str
    lines: list[Tally]
    unknown: int

    def told(self) -> list[str]:
        said = [
            f"{t.first} preferred to {t.second} {t.wins} times, the other way {t.losses}, undecided {t.same}{p_of(t.p)}"
            for t in self.lines
        ]
        return [f"Votes of {self.file} (sign test, Holm over the pairs):", *(said or ["none on records of this report"]),
                *([f"{self.unknown} votes are on records that stand in no table"] if self.unknown else [])]  # fmt: skip


@dataclass(frozen=True)
class Report:
    """Tables of each group of records, the published block once at the end, and what stands in none."""

    spec: Spec
    groups: list[tuple[Group, list[Table]]]
    published: list[Table]
    left: list[str]
    where: dict[str, Any] = field(default_factory=dict)  # conditions on the records, besides the report's own
    checks: list[Kept] = field(default_factory=list)  # records that are no results
    votes: Votes | None = None

    @property
    def tables(self) -> list[Table]:
        return [t for _, found in self.groups for t in found] + self.published

    @property
    def command(self) -> str:
        """The words that print it again."""
        conditions = [f"{path}={value if isinstance(value, str) else json.dumps(value)}" for path, value in self.where.items()]
        return shlex.join(["bench", "report", self.spec.name, *(["--where", *conditions] if conditions else [])])

    @property
    def remarks(self) -> list[str]:
        """What stands below all tables: records that are in none, the checks among the records, votes."""
        from bench.report.html.checks import checks

        said = {True: "holds", False: "does not hold", None: "says nothing"}
        lines = [
            f"Check: {c.name} {said[c.fine]} ({' '.join([c.about, 'record', c.record]).strip()})" for c in checks(self.checks)
        ]
        return [*self.left, *lines, *self._unchecked(), *(self.votes.told() if self.votes else [])]

    def _unchecked(self) -> list[str]:
        """Which rows no `bench check` among the records is about, where there is one about any."""
        known = [r for r in self.checks if r.told.get("kind") == "response"]
        run = [r for group, _ in self.groups for r in group.records if any(k.startswith("facts.controlnet") for k in r.flat)]
        lacking = []
        for row in (row for row in self.spec.rows if row.ranked and any(of_row(r, row) for r in run)):
            control = {k: v for k, v in row.where.items() if k.startswith("experiment.control.")}
            lacking += [] if any(r.suits(control) for r in known) else [row.label]
        said = "Not checked here whether the sound follows its hint (`bench check control=...`)"
        return [f"{said}: {'; '.join(lacking)}."] if known and lacking else []

    def text(self, format: str) -> str:
        """The report as md, csv or latex."""
        if format == "csv":
            from bench.report.select import spoken

            named = [(spoken(g.apart) or g.clips_hash, t) for g, found in self.groups for t in found]
            return as_csv([*named, *(("published", t) for t in self.published)])
        if format == "latex":
            return f"% {plain(self.command)}\n{latex(self.tables)}"
        head = f"# {md(self.spec.title)}\n\n{md(self.spec.about)}\n"
        below = [*(f"{md(line)}  " for line in self.remarks), f"Printed by `{plain(self.command).replace('`', '')}`."]
        return "\n".join([head, markdown(self.tables), *below]) + "\n"


def report(name: str, folders: Sequence[Path], where: dict[str, Any] | None = None) -> Report:
    """The report called `name` from the records in `folders`; Refused if none suits it. `all`: a row for each setting of any record."""
    from bench.report.html.checks import NO_CHECKS

    written = None if name == EVERY else load(name)
    records, looked = kept([f for f in folders if f.is_dir()]), ", ".join(map(str, folders))
    if not records:
        makes = f"`bench sweep {written.name}` makes them" if written else "`bench run control=melqcd` makes some"
        raise Refused(f"there is no record in {looked} yet: {makes}; machine.results=DIR says where they are")
    paths = dict.fromkeys(path for record in records for path in record.flat)
    for path in where or {}:
        if path not in paths:
            raise Refused(f"--where {path}: no record has such a setting.{near(path, paths)}")
    spec = written or every(records, where or {})
    if name == EVERY:
        found, left = together(records, spec), []
        spec = _filled(spec, *found)
    else:
        found, left = groups(records, spec, where or {})
    if not found:
        raise Refused(
            f"none of {len(records)} records in {looked} suits the report {spec.name}: `bench sweep {spec.name}` makes some"
        )
    made = []
    for group in found:
        own = tables(_filled(spec, group) if name == EVERY else spec, group)
        made.append((group, [*own, *differences(spec, group, own[0].above)]))
    about = [r for r in records if r.told.get("kind") not in NO_CHECKS]
    return Report(spec, made, [published(spec)] if spec.published else [], left, dict(where or {}), about)


def _filled(spec: Spec, *found: Group) -> Spec:
    """`spec` without the rows that have no record in `found`."""
    return replace(spec, rows=tuple(row for row in spec.rows if any(of_row(r, row) for group in found for r in group.records)))


def voted(made: Report, path: Path) -> Report:
    """`made` with the votes that the blind page exported to `path`."""
    from bench.report.html import blind

    names = {}
    for group, _ in made.groups:
        for form in made.spec.forms:
            for row in made.spec.rows:
                found = [r for r in group.records if of_row(r, row) and r.suits(form.where)]
                names |= {r.id: row.label if len(made.spec.forms) == 1 else f"{row.label}, {form.name}" for r in found}
    lines, unknown = blind.tallied(blind.read(path), names)
    return replace(made, votes=Votes(path.name, lines, unknown))


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


def write(
    made: Report, out: Path, format: str | None, folders: Sequence[Path] = (), budget_mb: float = BUDGET_MB
) -> tuple[list[Path], list[str]]:
    """The report in `format` (None: all) and its pictures under `out`: (the paths, what must be said about them).

    folders: of the records; their stores have the sounds that the page plays.
    """
    from bench.report.html import page
    from bench.report.picture import pictures
    from bench.store import replace_file

    paths, notes = [], []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for kind in [format] if format in SUFFIX else [] if format == "html" else list(SUFFIX):
            path = out / f"{made.spec.name}.{SUFFIX[kind]}"
            replace_file(path, lambda draft, kind=kind: draft.write_text(made.text(kind), encoding="utf-8"))
            paths.append(path)
        if format in (None, "html", "terminal"):
            written = page.write(made, folders, out, budget_mb=budget_mb)
            paths, notes = [*paths, *written.paths], written.notes
        if format != "html":
            paths += pictures(made.spec, [group for group, _ in made.groups], out)
    except OSError as error:
        raise Failed(f"cannot write the report to {out}: {error.strerror}") from error
    return paths, notes


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
    for line in made.remarks:
        console.print(plain(line), markup=False)
