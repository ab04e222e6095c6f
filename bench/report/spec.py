"""What a report shows: the YAML file that names its rows, forms, metrics and the published values beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from math import log2
from pathlib import Path
from typing import Any

from bench import shelf
from bench.errors import Refused, near
from bench.metrics import columns
from bench.metrics.base import Metric

Where = dict[str, Any]  # {dotted path into a record: its value, or a list of allowed ones}


@dataclass(frozen=True)
class RowSpec:
    """One line of the table. merged: has one value for all forms (nothing is predicted); ranked: takes part in best and second.

    same: {form: another form} of which this row shows the values, because its hint is the same in both.
    """

    label: str
    where: Where
    by: str = ""  # who proposed it
    merged: bool = False
    only: tuple[str, ...] = ()  # forms that this row can have; (): all
    same: Where = field(default_factory=dict)
    ranked: bool = True
    against: str = ""  # label of the row beside which this one is shown in a table of differences, paired by clip


@dataclass(frozen=True)
class Form:
    """A block of columns: the same rows from other runs, for example by true and by predicted hints."""

    name: str
    where: Where


@dataclass(frozen=True)
class Fact:
    """A column that is no metric: what the records say at `path`. codes: a number of codes, as a power of two where it is large."""

    name: str
    heading: str
    path: str
    scale: float = 1.0
    digits: int = 2
    codes: bool = False

    def said(self, value: float) -> str:
        """`value` as the table prints it."""
        if self.codes:
            return f"{value:,.0f}" if value < MANY else f"2^{log2(value):.1f}"
        return f"{value * self.scale:.{self.digits}f}"


@dataclass(frozen=True)
class Published:
    """Values that others printed: {row's label: {form: values in the order of `metrics`}}. Never ranked, never in a column of ours.

    metrics: of the table, or names of facts; `ib_av x 100` where the paper prints a multiple.
    """

    source: str
    metrics: tuple[str, ...]
    rows: dict[str, dict[str, tuple[float, ...]]]


@dataclass(frozen=True)
class Curve:
    """A picture of the ranked rows over one of their settings. metrics: as in `Spec`; (): those of the narrow table."""

    title: str
    x: str  # dotted path into a record
    label: str = ""  # of the axis
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spec:
    name: str
    title: str
    rows: tuple[RowSpec, ...]
    forms: tuple[Form, ...]
    metrics: tuple[str, ...]  # of the narrow table, by the part of their id before the first dot
    about: str = ""
    where: Where = field(default_factory=dict)  # of all rows
    gap: tuple[str, str] | None = None  # names of two forms whose difference, second minus first, is shown
    gaps: tuple[tuple[str, str], ...] = ()  # labels of rows whose gaps are compared
    published: Published | None = None
    facts: tuple[Fact, ...] = ()  # columns before those of the metrics

    curves: tuple[Curve, ...] = ()

    @cached_property
    def free(self) -> set[str]:
        """Settings in which records of one table may differ because rows or forms choose by them."""
        return {path for one in (*self.rows, *self.forms) for path in one.where}

    @cached_property
    def components(self) -> tuple[str, ...]:
        """Beginnings of paths of components, the control and others, of which a row names a setting: all of these may differ."""
        named = {path.split(".")[1] for row in self.rows for path in row.where if path.count(".") > 1 and path.startswith(OWN)}
        return tuple(f"{OWN}{name}." for name in sorted(named | {"control"}))


OWN = "experiment."
MANY = 10**6  # codes; more are told as a power of two
KEYS = {
    **{"title": str, "about": str, "where": dict, "rows": list, "forms": list, "metrics": list},
    **{"gap": list, "gaps": list, "published": dict, "facts": list, "curves": list},
}


def metric(short: str) -> Metric:
    """The column of the paper's Table 1 whose id begins with `short`: `fid`, `mkl`, `class_acc`, ..."""
    known = {m.id.partition(".")[0]: m for m in columns()}
    if short not in known:
        raise Refused(f"{short}: no such column.{near(short, known)}")
    return known[short]


def printed(facts: tuple[Fact, ...], name: str) -> tuple[str, Fact | None]:
    """(heading, the fact that it is, if any) of a published column; `x 100` stands behind a metric where the paper prints a multiple."""
    for fact in facts:
        if fact.name == name:
            return fact.heading, replace(fact, scale=1.0)
    short, times, factor = name.partition(" x ")
    return metric(short).heading + f" x {factor}" * bool(times), None


def load(name: str) -> Spec:
    """The report called `name` (a path, a name in ./reports, or one that came along); Refused naming what is wrong in it."""
    path = shelf.find("reports", name)
    told = shelf.read(path, KEYS, needed=("title", "rows", "forms", "metrics"))
    rows = tuple(_made(RowSpec, r, path, "rows") for r in told["rows"])
    forms = tuple(_made(Form, f, path, "forms") for f in told["forms"])
    facts = _facts(told, path)
    try:
        metrics = tuple(map(str, told["metrics"]))
        curves = tuple(_made(Curve, c, path, "curves") for c in told.get("curves", []))
        for short in (*metrics, *(m for c in curves for m in c.metrics)):
            metric(short)
        published = _published(told["published"], path, facts) if "published" in told else None
    except Refused as error:
        raise Refused(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    spec = Spec(
        path.stem, told["title"], rows, forms, metrics, told.get("about", ""), told.get("where", {}),
        tuple(told["gap"]) if "gap" in told else None, tuple(map(tuple, told.get("gaps", []))), published, facts, curves,
    )  # fmt: skip
    _check(spec, path)
    return spec


def _check(spec: Spec, path: Path) -> None:
    """Names that refer to others must be there, and no name twice."""
    labels, forms = [r.label for r in spec.rows], [f.name for f in spec.forms]
    for kind, names in (("row", labels), ("form", forms)):
        for name in names:
            if names.count(name) > 1:
                raise Refused(f"{path}: two {kind}s are called {name!r}")
    if not labels or not forms or not spec.metrics:
        raise Refused(f"{path}: rows, forms and metrics must not be empty")
    mentioned = [
        ("form", name, forms)
        for name in [*(spec.gap or ()), *(n for r in spec.rows for n in (*r.only, *r.same, *r.same.values()))]
    ]
    mentioned += [("row", name, labels) for pair in spec.gaps for name in pair]
    mentioned += [("row", r.against, labels) for r in spec.rows if r.against]
    if spec.published:
        mentioned += [("row", name, labels) for name in spec.published.rows]
        mentioned += [("form", name, forms) for of in spec.published.rows.values() for name in of]
    for kind, name, known in mentioned:
        if name not in known:
            raise Refused(f"{path}: no {kind} {name!r}.{near(str(name), known)}")
    if (spec.gap and len(spec.gap) != 2) or any(len(pair) != 2 for pair in spec.gaps):
        raise Refused(f"{path}: gap names two forms, gaps pairs of rows")


def _made(cls: type, given: Any, path: Path, key: str):
    if not isinstance(given, Mapping):
        raise Refused(f"{path}: {key} are mappings with the keys {', '.join(f.name for f in fields(cls))}, got {given!r}")
    known = {f.name: f for f in fields(cls)}
    for name in given:
        if name not in known:
            raise Refused(f"{path}: {key}: no key {name!r}.{near(str(name), known)}")
    try:
        made = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
    except TypeError as error:
        raise Refused(f"{path}: {key}: {given!r} lacks a key: {error}") from error
    name = getattr(made, "title", None) or getattr(made, "label", None) or getattr(made, "name", None)
    if not isinstance(name, str) or not isinstance(getattr(made, "where", {}), dict):
        raise Refused(f"{path}: {key}: {given!r} needs a name in quotes and a mapping `where`")
    if not isinstance(getattr(made, "same", {}), dict):
        raise Refused(f"{path}: {key}: {given!r}: same is a mapping, a form to the form whose values are shown")
    return made


def read_published(path: Path) -> Published:
    """The published block of the report in `path`; Refused without one."""
    told = shelf.read(path, KEYS, needed=("published",))
    return _published(told["published"], path, _facts(told, path))


def _facts(told: Mapping[str, Any], path: Path) -> tuple[Fact, ...]:
    return tuple(_made(Fact, f, path, "facts") for f in told.get("facts", []))


def _published(given: Mapping[str, Any], path: Path, facts: tuple[Fact, ...]) -> Published:
    try:
        metrics = tuple(given["metrics"])
        rows = {
            str(row): {str(form): tuple(float(v) for v in values) for form, values in of.items()}
            for row, of in given["rows"].items()
        }
        source = str(given["source"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"{path}: published needs source, metrics and rows of numbers: {error!r}") from error
    for short in metrics:
        printed(facts, short)
    for row, of in rows.items():
        for form, values in of.items():
            if len(values) != len(metrics):
                raise Refused(f"{path}: published: {row}, {form} has {len(values)} values for {len(metrics)} metrics")
    return Published(source, metrics, rows)
