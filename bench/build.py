"""Make a frozen dataclass out of plain containers, every value checked against its field's type."""

from __future__ import annotations

import enum
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from bench.errors import Refused
from bench.identity import OURS


def build(cls: type, values: Mapping[str, Any], at: str, *, ready: Mapping[str, Any] | None = None):
    """`cls` with `values`, plus the finished parts in `ready`; Refused naming the setting and what it would take.

    at: the dotted name under which the user knows this component ("control"); "" for the experiment itself.
    """
    hints, made = get_type_hints(cls), dict(ready or {})
    for f in fields(cls):
        if f.name in made or not f.init:
            continue
        name = f"{at}.{f.name}".lstrip(".")
        given = values.get(f.name, MISSING)
        if given is MISSING or (isinstance(given, str) and given == "???"):
            if default_of(f) is MISSING:
                raise Refused(f"{name} is needed: write {name}=...")
            continue
        made[f.name] = value(hints[f.name], given, name)
    try:
        return cls(**made)
    except ValueError as error:
        raise Refused(f"{at}: {error}" if at else str(error)) from error
    except Exception as error:  # of somebody else's class it is a finding, of ours a mistake that the traceback helps to find
        if cls.__module__.partition(".")[0] in OURS:
            raise
        raise Refused(f"{at}: {cls.__module__}:{cls.__qualname__} raised {type(error).__name__}: {error}") from error


def default_of(field: Field) -> Any:
    """What a field is where nothing is said; MISSING where something must be."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def value(hint: Any, given: Any, at: str):
    """`given` (plain containers) as `hint`."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return given
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(given, Mapping):
            raise Refused(f"{at} has settings of its own: write {at}.NAME=VALUE")
        return build(hint, given, at)
    if origin is tuple:
        if not isinstance(given, (list, tuple)):
            raise Refused(f"{at} is a list: write {at}=[{given}]")
        kinds = [args[0]] * len(given) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(given):
            raise Refused(f"{at} takes {len(kinds)} values, got {len(given)}")
        return tuple(value(k, v, at) for k, v in zip(kinds, given, strict=True))
    if origin is Literal:
        word = "none" if given is None and "none" in args else given
        if word not in args or isinstance(word, bool) != any(isinstance(a, bool) for a in args):
            raise Refused(f"{at} must be one of {', '.join(map(str, args))}, got {_said(given)}")
        return word
    if origin in (Union, types.UnionType):
        return _any_of(args, given, at)
    if hint is type(None):
        if given is not None:
            raise Refused(f"{at} must be null, got {_said(given)}")
        return None
    if origin is dict:
        if not isinstance(given, Mapping):
            raise Refused(f"{at} is a mapping: write {at}.NAME=VALUE")
        return {value(args[0], k, at): value(args[1], v, at) for k, v in given.items()}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        for member in hint:
            if str(given).lower() in (member.name.lower(), str(member.value).lower()):
                return member
        raise Refused(f"{at} must be one of {', '.join(m.name.lower() for m in hint)}, got {_said(given)}")
    return _scalar(hint, given, at)


def _scalar(hint: Any, given: Any, at: str):
    if not isinstance(hint, type) or hint in (list, tuple, dict, set, frozenset, object) or get_origin(hint) is not None:
        raise Refused(f"{at} is declared as {hint!r}, which no word can be read as: use str, int, float, bool or tuple[int, ...]")
    if hint is str and isinstance(given, (int, float)) and not isinstance(given, bool):
        return str(given)  # a folder called 2024
    if hint is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given)
    if (hint in (int, float) and isinstance(given, bool)) or not isinstance(given, hint):
        kind = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}.get(hint, hint.__name__)
        raise Refused(f"{at} must be {kind}, got {_said(given)}")
    if hint is float and given != given:
        raise Refused(f"{at} must be a number, got nan")
    return given


def _any_of(kinds: tuple, given: Any, at: str):
    reasons = []
    for kind in sorted(kinds, key=lambda k: k is str):  # text last: it would take a number
        try:
            return value(kind, given, at)
        except Refused as error:
            reasons.append(str(error))
    raise Refused(reasons[0] if len(reasons) == 1 else f"{at} cannot be {_said(given)}: {'; '.join(reasons)}")


def _said(given: Any) -> str:
    return "nothing" if given is None else repr(given)
