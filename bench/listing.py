"""`bench list`: every component with its settings, read from the classes' own fields and the comments beside them."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, fields
from typing import get_type_hints

from bench.components import Group, groups
from bench.errors import Refused
from bench.experiment import Experiment
from bench.variants import Variant
from controls import registry


def listing() -> str:
    """One block per group: names, first sentence of the docstring, settings with their defaults."""
    blocks = []
    for group in groups().values():
        lines = [f"{group.name}="]
        for name in group.names():
            lines += _entry(group, name)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _entry(group: Group, name: str) -> list[str]:
    origin = f"  [{registry.origin(name)}]" if group.name == "control" and registry.origin(name) != "melqcd-bench" else ""
    try:
        cls = group.find(name)
    except Refused as error:
        return [f"  {name}{origin}: {' '.join(str(error).split())}"]
    default = group.default if isinstance(group.default, tuple) else (group.default,)
    about = (inspect.getdoc(cls) or "").partition("\n")[0]
    lines = [f"  {name}{' (default)' if name in default else ''}: {about}{origin}"]
    notes = _comments(cls)
    for f in fields(cls):
        if f.init:
            value = (
                f.default if f.default is not MISSING else f.default_factory() if f.default_factory is not MISSING else "needed"
            )
            note = f"  # {notes[f.name]}" if f.name in notes else ""
            lines.append(f"      {f.name} = {value!r}{note}" if value != "needed" else f"      {f.name}  (needed){note}")
    return lines + (_words(cls) if issubclass(cls, Variant) else [])


def _words(cls: type[Variant]) -> list[str]:
    """Each word of a variant with the part that has the setting, and the comment beside the setting."""
    known, lines = groups(), []
    for part, choice, words in cls.parts:
        owner = known[part].find(choice) if part in known else get_type_hints(Experiment)[part]
        notes, where = _comments(owner), f" where {part}={choice}" if choice else ""
        lines += [f"      {part}.{word}{where}  # {notes[word.partition('=')[0]]}" for word in words]
    return lines


def _comments(cls: type) -> dict[str, str]:
    """{field: the comment on its line, or above it}, of the class and its parents."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        try:
            source = inspect.getsource(base)
        except (OSError, TypeError):  # built in, or made without a file
            continue
        for above, name, beside in re.findall(r"^((?: +#.*\n)*) +(\w+): [^#\n]+(?:#\s*(.+))?$", source, re.M):
            if note := beside or " ".join(re.findall(r"^ *# ?(.*)$", above, re.M)):
                found[name] = note
    return found
