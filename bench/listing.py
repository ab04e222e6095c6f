"""`bench list`: every component with its settings, read from the classes' own fields and the comments beside them."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, fields

from bench.components import Group, groups
from bench.errors import Refused
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
    return lines


def _comments(cls: type) -> dict[str, str]:
    """{field: the comment on its line}, of the class and its parents."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        try:
            source = inspect.getsource(base)
        except (OSError, TypeError):  # built in, or made without a file
            continue
        found |= {m[1]: m[2] for m in re.finditer(r"^ +(\w+): [^#\n]+#\s*(.+)$", source, re.M)}
    return found
