"""Which things are the same: the digest of settings by type and value. Paths never enter, what lies at them may (`identity`)."""

from __future__ import annotations

import ast
import enum
import hashlib
import inspect
import json
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

from bench.errors import Refused

OURS = ("bench", "controls", "melqcd")


def digest(value) -> str:
    """Sixteen hex digits, the same for equal values in any process; 1 and 1.0, and equal fields of different classes, differ."""
    return hashlib.sha256(json.dumps(_typed(value), sort_keys=True).encode()).hexdigest()[:16]


def _typed(value):
    if isinstance(value, Path):
        return {"artefact": value.name}
    if hasattr(value, "identity"):
        return {"is": _name(type(value)), "identity": _typed(value.identity()), **_source(type(value))}
    if is_dataclass(value) and not isinstance(value, type):
        kept = {}
        for f in fields(value):
            now = getattr(value, f.name)
            # a field added later is left out of the key while it equals what the code did before it existed
            if f.metadata.get("key", True) and not ("added" in f.metadata and now == f.metadata["added"]):
                kept[f.name] = _typed(now)
        return {"is": _name(type(value)), "fields": kept, **_source(type(value))}
    if isinstance(value, enum.Enum):
        return {"is": _name(type(value)), "enum": value.name}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {"int": value}
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, (tuple, list)):
        return [_typed(v) for v in value]
    if isinstance(value, dict):
        return {"dict": {str(k): _typed(v) for k, v in value.items()}}
    raise TypeError(f"{type(value).__name__} cannot be part of a key: {value!r}")


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _source(cls: type) -> dict[str, str]:
    """A plugin's key holds the syntax trees of the files that its class and the classes it derives from are written in: comments and
    spaces do not count, code does. What it imports besides is not followed.
    """
    modules = dict.fromkeys(base.__module__ for base in cls.__mro__)
    theirs = [m for m in modules if m.partition(".")[0] not in OURS and m.partition(".")[0] not in sys.stdlib_module_names]
    return {"source": "-".join(_session(cls) if m == "__main__" else _tree(m) for m in theirs)} if theirs else {}


def _session(cls: type) -> str:
    """Of a class of this session: the whole script, or of a notebook, which has no file, the class and what it derives from."""
    if getattr(sys.modules["__main__"], "__file__", None):
        return _tree("__main__")
    own = [base for base in cls.__mro__ if base.__module__ == "__main__"]
    try:
        text = "".join(ast.dump(ast.parse(dedent(inspect.getsource(base)))) for base in own)
    except (OSError, TypeError) as error:
        why = f"{cls.__qualname__}: its source cannot be read ({error}), so nothing made by it could be kept"
        raise Refused(f"{why}: write it to a file") from error
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _tree(module: str) -> str:
    path = getattr(sys.modules[module], "__file__", None)
    text = ast.dump(ast.parse(Path(path).read_text())) if path and path.endswith(".py") else module
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def told(component) -> dict[str, Any]:
    """A dataclass as JSON that a person can read: its class's name and its fields."""
    return {"is": type(component).__name__} | {f.name: plain(getattr(component, f.name)) for f in fields(component)}


def plain(value) -> Any:
    """`value` as JSON that a person can read: components by class name and fields."""
    if is_dataclass(value) and not isinstance(value, type):
        return told(value)
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, enum.Enum):
        return value.name
    return str(value) if isinstance(value, Path) else value


def folders(part) -> Iterator[Path]:
    """The folders that one part of an artefact names, itself or within a tuple."""
    if isinstance(part, Path):
        yield part
    elif getattr(part, "rendered", False):  # a world is rendered to where its data have their root
        yield from [Path(part.root)] if part.root else []
    elif isinstance(part, (tuple, list)):
        for p in part:
            yield from folders(p)
