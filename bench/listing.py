"""`bench list`: every component and setting, read from the classes' own fields and the comments beside them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bench.build import default_of
from bench.components import Group, groups
from bench.errors import Refused, near
from bench.experiment import Experiment
from bench.variants import Variant
from controls import registry

OWN = "settings"  # those of the experiment itself
SCORES = "metrics"


def listing(names: Sequence[str] = ()) -> str:
    """One block per group, and one of the experiment's own settings: names, first sentence of the docstring, settings with defaults.

    And one of the metrics by id, with the judges that give what each needs. names: the blocks to show, all without; Refused with the
    nearest for one that is none.
    """
    known = groups()
    for name in names:
        if name not in (*known, OWN, SCORES):
            raise Refused(f"{name}: nothing to list.{near(name, [*known, OWN, SCORES])}")
    blocks = {name: _group(group, known) for name, group in known.items() if not names or name in names}
    if not names or OWN in names:
        blocks[OWN] = "\n".join(["settings of the experiment itself", *_settings(Experiment, "  ", skip=known)])
    if not names or SCORES in names:
        blocks[SCORES] = "\n".join(_metrics(known["judges"]))
    return "\n\n".join(blocks.values())


def _metrics(judges: Group) -> Iterator[str]:
    """A line for each metric: id, heading, unit, and the judges that can give it; columns of the paper's Table 1 first."""
    from bench.metrics import METRICS
    from bench.metrics.strength import CURVES

    given = {name: _given(judges.find(name)) for name in judges.names()}
    yield "metrics  # * a column of the paper's Table 1; JUDGE: one of those behind it. A run has all that its judges=[...] can give"
    for metric in METRICS.values():
        able = [name for name, provided in given.items() if not metric.lacks(provided)]
        if able:
            id, unit = metric.id.replace("{judge}", "JUDGE"), f", {metric.unit}" if metric.unit else ""
            about = f"{metric.heading}{unit}{'; of all clips at once' if metric.kind == 'set' else ''}"
            yield f"  {id}{' *' if metric.column else ''}: {about}  # {', '.join(able)}"
    others = [name for name in CURVES if not any(f"odf.{name}" in provided for provided in given.values())]
    yield f"  the four distances of curves (.flux_lin) on others: judges.sync.curves=[flux_lin,...]  # {', '.join(others)}"


def _given(judge: type) -> frozenset[str]:
    """What a judge gives with its default settings, as far as that can be told without its weights."""
    try:
        return frozenset(judge().provides)
    except Refused:
        return frozenset(getattr(judge, "outputs", ()))


def _group(group: Group, known: dict[str, Group]) -> str:
    lines, told = [f"{group.name}="], set(known["data"].names()) if group.name == "learn" else set()
    for name in group.names():
        lines += [] if name in told else _entry(group, name)
    return "\n".join(
        [*lines, *([f"  {', '.join(sorted(told))}: as data=, with their settings as learn.root=..."] if told else [])]
    )


def _entry(group: Group, name: str) -> list[str]:
    origin = f"  [{registry.origin(name)}]" if group.name == "control" and registry.origin(name) != "melqcd-bench" else ""
    try:
        cls = group.find(name)
    except Refused as error:
        return [f"  {name}{origin}: {' '.join(str(error).split())}"]
    default = group.default if isinstance(group.default, tuple) else (group.default,)
    about = (inspect.getdoc(cls) or "").partition("\n")[0]
    lines = [f"  {name}{' (default)' if name in default else ''}: {about}{origin}", *_settings(cls, "      ")]
    return lines + (_words_of(cls) if issubclass(cls, Variant) else [])


def _settings(cls: type, indent: str, at: str = "", skip: Collection[str] = (), made: object = None) -> Iterator[str]:
    """A line for each setting: its default, what else it can be where that is a list of words, and its comment; nested ones by path.

    made: an instance whose values are the defaults, where these are not the class's own.
    """
    notes, types = _comments(cls), get_type_hints(cls)
    for f in fields(cls):
        if not f.init or f.name in skip:
            continue
        value = default_of(f)
        value = value if made is None else getattr(made, f.name)
        if is_dataclass(value):
            yield from _settings(type(value), indent, f"{at}{f.name}.", made=value)
            continue
        others = [w for w in _words(types[f.name]) if w != value]
        told = "; ".join(filter(None, [f"or {', '.join(map(str, others))}" if others else "", notes.get(f.name, "")]))
        shown = "  (needed)" if value is MISSING else f" = {value!r}"
        yield f"{indent}{at}{f.name}{shown}{f'  # {told}' if told else ''}"


def _words_of(cls: type[Variant]) -> list[str]:
    """Each word of a variant with the part that has the setting, and the comment beside the setting."""
    known, lines = groups(), []
    for part, choice, words in cls.parts:
        owner = known[part].find(choice) if part in known else get_type_hints(Experiment)[part]
        notes, where = _comments(owner), f" where {part}={choice}" if choice else ""
        lines += [f"      {part}.{word}{where}  # {notes[word.partition('=')[0]]}" for word in words]
    return lines


def _words(type: Any) -> list[Any]:
    """What a setting of this type can be, if it is one of a few words."""
    if get_origin(type) is Literal:
        return list(get_args(type))
    return [word for one in get_args(type) for word in _words(one)] if get_origin(type) not in (tuple, list, dict) else []


@cache
def _comments(cls: type) -> dict[str, str]:
    """{field: the comment on its lines, else the one right above}, of the class and its parents."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        try:
            lines = textwrap.dedent(inspect.getsource(base)).splitlines()
        except (OSError, TypeError):  # built in, or made without a file
            continue
        (tree,) = ast.parse("\n".join(lines)).body
        for node in tree.body if isinstance(tree, ast.ClassDef) else ():
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                beside = [_comment(line) for line in lines[node.lineno - 1 : node.end_lineno]]
                above = node.lineno - 1
                while lines[above - 1].lstrip().startswith("#"):
                    above -= 1
                note = " ".join(filter(None, beside)) or " ".join(_comment(line) for line in lines[above : node.lineno - 1])
                found |= {node.target.id: note} if note else {}
    return found


def _comment(line: str) -> str:
    """What stands behind the last # that is outside of quotes."""
    quote = ""
    for i, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#":
            return line[i + 1 :].strip()
    return ""
