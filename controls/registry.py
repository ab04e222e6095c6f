"""Control signals by name: the built-in ones and those of other distributions come through one group of entry points."""

from __future__ import annotations

import inspect
import os
import sys
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import get_args, get_type_hints

from controls.base import USES, Control, Source

GROUP = "melqcd_bench.controls"
OURS = "melqcd-bench"

_added: dict[str, type[Control]] = {}
_loaded: dict[type, str] = {}  # names under which classes were found: an entry point may lead to one that is defined elsewhere


def names() -> list[str]:
    """Every name that `load` knows, sorted; nothing is imported, so a broken plugin is listed too."""
    return sorted({entry.name for _, entry in _entries()} | set(_added))


def load(name: str) -> type[Control]:
    """The class of that name. What `add` brought comes first.

    Raises ValueError: an unknown name (with the nearest), a name that two distributions claim (with both), a plugin that cannot be
    imported or is no frozen dataclass derived from Control (with its distribution).
    """
    if name in _added:
        return _added[name]
    found = _claims(name)
    if not found:
        near = get_close_matches(name, names(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no control signal {name!r}.{hint} Known: {', '.join(names())}")
    if len(found) > 1:
        way = f"rename the other one's, or uninstall it: {OURS} needs its own" if OURS in found else "uninstall one of them"
        raise ValueError(f"control {name!r} is claimed by {' and by '.join(sorted(found))}; {way}")
    ((owner, entry),) = found.items()
    try:
        cls = entry.load()
    except (Exception, SystemExit) as error:  # a plugin may fail in any way; it must be told apart from the harness
        raise ValueError(
            f"control {name!r} of {owner} ({entry.value}) cannot be imported: {type(error).__name__}: {error}"
        ) from error
    _loaded.setdefault(_checked(name, cls, f"{entry.value} of {owner}"), name)
    return cls


def add(name: str, cls: type[Control]) -> None:
    """Make `cls` known as `name` in this process, for notebooks and tests; it hides an installed control of that name."""
    _added[name] = _checked(name, cls, getattr(cls, "__qualname__", repr(cls)))


def origin(name: str) -> str:
    """The distribution that brings `name`; several are joined by " and "."""
    if name in _added:
        return "this session"
    return " and ".join(sorted(_claims(name))) or "nowhere"


def name_of(cls: type) -> str:
    """The name under which `cls` is known, without importing anything; the name of the class where it has none."""
    place = f"{cls.__module__}:{cls.__qualname__}"
    known = {e.value: e.name for _, e in _entries()} | {f"{c.__module__}:{c.__qualname__}": n for n, c in _added.items()}
    return known.get(place) or _loaded.get(cls, cls.__name__)


def told(control: Control) -> str:
    """`control 'onset' of melqcd-bench`: for messages about what a plugin did."""
    name = name_of(type(control))
    return f"control {name!r} of {origin(name)}" if name in names() else f"control {name!r}"


def _entries() -> tuple[tuple[str, EntryPoint], ...]:
    """The group's entry points, each after the name of its distribution; read anew where a folder of packages has changed."""
    return _read(entry_points, tuple((place, _changed(place)) for place in sys.path))


@lru_cache(maxsize=1)
def _read(ask, places: tuple) -> tuple[tuple[str, EntryPoint], ...]:
    # all of an environment's metadata: 20 ms, and the plan of a sweep asks a thousand times
    return tuple((e.dist.name if e.dist else "an unknown distribution", e) for e in ask(group=GROUP))


def _changed(place: str) -> int:
    """When something was put into the folder, or taken out, as its file system tells; 0 without one."""
    try:
        return os.stat(place or ".").st_mtime_ns
    except OSError:
        return 0


def _claims(name: str) -> dict[str, EntryPoint]:
    """{distribution: entry point} of all that claim `name`."""
    return {owner: e for owner, e in _entries() if e.name == name}


def _checked(name: str, cls: type, where: str) -> type[Control]:
    if not (isinstance(cls, type) and issubclass(cls, Control)):
        raise ValueError(f"control {name!r}: {where} is not a class derived from controls.Control")
    if not is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise ValueError(f"control {name!r}: {where} must be a frozen dataclass: its fields are its settings and part of a key")
    if inspect.isabstract(cls):
        raise ValueError(f"control {name!r}: {where} does not define {', '.join(sorted(cls.__abstractmethods__))}")
    if wrong := _unfit(cls):
        raise ValueError(f"control {name!r}: {where} {wrong}")
    return cls


def _unfit(cls: type[Control]) -> str:
    """What is wrong with the settings that `cls` declares; "" where nothing is."""
    if "__dataclass_params__" not in vars(cls) and vars(cls).get("__annotations__"):
        return "has annotations and no @dataclass(frozen=True) of its own: they would be no settings"
    try:
        get_type_hints(cls)
    except NameError as error:
        return f"has a setting whose type is not there at run time ({error}): import it outside of `if TYPE_CHECKING`"
    for f in fields(cls):  # type: ignore[arg-type]
        if "use" in f.metadata and f.metadata["use"] not in USES:
            return f'has {f.name} with metadata={{"use": {f.metadata["use"]!r}}}: {", ".join(USES)} are known'
    if cls.source not in get_args(Source):
        return f"has source={cls.source!r}: {' or '.join(get_args(Source))}"
    return ""
