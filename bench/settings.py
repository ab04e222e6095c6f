"""How words become an experiment: dataclasses' defaults as plain dicts, words in Hydra's grammar merged, one checked builder of objects.

A component's fields are its settings, its defaults and its documentation; no YAML holds a default (architecture, section 5).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from difflib import get_close_matches
from functools import cache
from itertools import product
from typing import Any, get_type_hints

from bench.build import build, default_of
from bench.components import Group, groups
from bench.errors import Refused, near
from bench.experiment import Experiment, Machine


def compose(*words: str, site: bool = True) -> tuple[Experiment, Machine]:
    """`compose("control=onset", "data.test=600")`: what the command line of the same words asks for.

    site: put the words of the environment variable BENCH_WORDS first.
    Raises Refused, in one line, for a setting that does not exist, has the wrong type or an impossible value.
    """
    parsed = _parse([*(site_words(words) if site else ()), *words])
    known = groups()
    chosen, rest = _choices(parsed, known)
    rest = [*_parse(known["variant"].find(chosen["variant"]).of(chosen)), *rest]  # type: ignore[attr-defined]
    tree = {name: _defaults_of(known[name], chosen[name]) for name in known}
    tree |= _tree(Experiment, skip=known)
    for word in rest:
        _check_key(word, known, chosen)
    merged = _merge(tree, rest)
    made: dict[str, Any] = {}
    for name, group in known.items():
        if group.many:
            made[name] = tuple(build(group.find(n), merged[name].get(n, {}), f"{name}.{n}") for n in chosen[name])
        else:
            made[name] = build(group.find(chosen[name]), merged[name], name)
    machine = made.pop("machine")
    del made["variant"]  # what it stands for is in place
    return build(Experiment, {k: v for k, v in merged.items() if k not in known}, "", ready=made), machine


def component(group: str, name: str, *words: str):
    """One component by itself: `component("control", "melqcd", "bound=2")`."""
    known = replace(groups()[group], default=name)  # one by itself, also of a group of which a run takes several
    cls = known.find(name)
    parsed = _parse([f"{group}.{w}" for w in words])
    for word in parsed:
        _check_key(word, {group: known}, {group: name})
    return build(cls, _merge({group: _tree(cls)}, parsed)[group], group)


def site_words(words: Sequence[str] = ()) -> list[str]:
    """The words that this site puts before all others, from BENCH_WORDS in the same grammar.

    words: what follows. Where they choose another machine than the site's, the site's settings of its own machine are left out.
    """
    site = shlex.split(os.environ.get("BENCH_WORDS", ""))
    asked = [word for word in (*site, *words) if word.startswith("machine=")]
    machines = groups()["machine"]
    name = asked[-1].partition("=")[2] if asked else ""
    if name not in machines.names():
        return site
    own = {f.name for f in fields(machines.find(name))}
    return [w for w in site if not w.startswith("machine.") or w.partition("=")[0].split(".")[1] in own]


def expand(words: Sequence[str]) -> list[list[str]]:
    """`control=onset,energy seed=1` becomes two lists of words, as on Hydra's own command line."""
    choices = []
    for word, o in zip(words, _parse(words), strict=True):
        swept = o.is_sweep_override()
        choices.append([f"{o.get_key_element()}={v}" for v in o.sweep_string_iterator()] if swept else [word])
    return [list(line) for line in product(*choices)]


# ---- words ----------------------------------------------------------------------------------------------------------------------


def _parse(words: Iterable[str]) -> list:
    return [_parse_one(word) for word in words]


def _parse_one(word: str):
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    name, equals, value = word.partition("=")
    if word.startswith(("+", "~")):
        raise Refused(f"{word}: every setting exists already, write {name.lstrip('+~')}=VALUE")
    if not equals:
        raise Refused(f"{word}: write NAME=VALUE, for example {_example(word)}")
    if "_target_" in word or name.split(".")[0] == "hydra":
        raise Refused(f"{word}: words hold settings, not code")
    # what Hydra's grammar cannot read (~, é, brackets) is taken literally: the same word, its value quoted
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    reasons = []
    for spelling in (word, f"{name}='{quoted}'"):
        try:
            return OverridesParser.create().parse_override(spelling)
        except HydraException as error:
            reasons.append(error)
    raise Refused(f"{word}: {name!r} cannot be the name of a setting") from reasons[-1]


def _example(word: str) -> str:
    """`control=onset` for the name of a component (onset), `control=...` for that of a setting."""
    if word.split(".")[0] in {*groups(), *(f.name for f in fields(Experiment))}:
        return f"{word}=..."
    owner = {name: group.name for group in reversed(groups().values()) for name in group.names()}  # control before the others
    hit = next(iter(get_close_matches(word, owner, n=1, cutoff=0.7)), "melqcd")
    return f"{owner[hit]}={hit}"


def _choices(parsed: list, known: dict[str, Group]) -> tuple[dict[str, Any], list]:
    """Which component each group takes, and the words that are left."""
    chosen: dict[str, Any] = {name: group.default for name, group in known.items()}
    rest = []
    for o in parsed:
        name = o.key_or_group
        if name not in known:
            rest.append(o)
            continue
        if o.is_sweep_override():
            raise Refused(f"{o.input_line}: one {name} at a time here; `bench run {o.input_line}` makes one run each")
        value = o.value()
        if known[name].many:
            value = value if isinstance(value, list) else [value]
            chosen[name] = tuple(_word(v) for v in value)
            if len(set(chosen[name])) < len(chosen[name]):
                raise Refused(f"{o.input_line}: one of them is named twice")
        elif isinstance(value, (list, dict)):
            raise Refused(f"{o.input_line}: one {name} only, for example {name}={known[name].names()[0]}")
        else:
            chosen[name] = _word(value)
    for name, choice in chosen.items():
        for one in choice if known[name].many else [choice]:
            known[name].find(one)  # an unknown name is answered before anything else is looked at
    return chosen, rest


def _word(value) -> str:
    """Hydra reads `none` and `null` as None; components are called by words."""
    return "none" if value is None else str(getattr(value, "text", value))


def _check_key(o, known: dict[str, Group], chosen: dict[str, Any]) -> None:
    """Refuse a dotted word whose setting does not exist, with the nearest that does."""
    if o.is_sweep_override():
        raise Refused(f"{o.input_line}: several values; `bench run` makes one run of each, this command takes one")
    head, *path = o.key_or_group.split(".")
    if head not in known:
        own = {f.name: _hints(Experiment)[f.name] for f in fields(Experiment) if f.name not in known}
        if head not in own:
            owners = [g for g in known if not known[g].many and any(f.name == head for f in fields(known[g].find(chosen[g])))]
            if owners:
                raise Refused(f"{o.input_line}: {head} belongs to {owners[0]}: write {owners[0]}.{o.input_line}")
            raise Refused(f"{o.input_line}: no setting {head!r}.{near(head, [*known, *own])}")
        _check_path(o, own[head], path)
        return
    if known[head].many:
        if not path or path[0] not in chosen[head]:
            raise Refused(f"{o.input_line}: {head} are {', '.join(chosen[head])}; write {head}.NAME.SETTING=VALUE")
        _check_path(o, known[head].find(path[0]), path[1:])
    else:
        _check_path(o, known[head].find(chosen[head]), path)


def _check_path(o, at: Any, path: list[str]) -> None:
    for part in path:
        cls = next((k for k in (at, *getattr(at, "__args__", ())) if is_dataclass(k)), None)
        if cls is None:
            return  # a mapping or a plain value: the builder checks it
        names = [f.name for f in fields(cls) if f.init]
        if part not in names:
            raise Refused(f"{o.input_line}: {cls.__name__} has no setting {part!r}.{near(part, names)}")  # type: ignore[union-attr]
        at = _hints(cls)[part]  # type: ignore[arg-type]


@cache
def _hints(cls: type) -> dict[str, Any]:
    """The types of its fields; reading them costs a tenth of composing a line."""
    return get_type_hints(cls)


# ---- trees ----------------------------------------------------------------------------------------------------------------------


def _defaults_of(group: Group, choice) -> dict:
    if group.many:
        return {name: _tree(group.find(name)) for name in choice}
    return _tree(group.find(choice))


def _tree(cls: type, skip: Iterable[str] = ()) -> dict:
    """The fields of `cls` with their defaults as plain containers; ??? where there is none (Hydra's word for it)."""
    tree = {}
    for f in fields(cls):
        if f.name in skip or not f.init:
            continue
        value = default_of(f)
        tree[f.name] = "???" if value is MISSING else _plain(value)
    return tree


def _plain(value):
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.init}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return dict(value) if isinstance(value, dict) else value


def _merge(tree: dict, rest: list) -> dict:
    """`tree` with the words' values in place, read by Hydra's grammar and merged by OmegaConf.

    As `hydra.compose` does it, of which tests/test_settings.py holds the results equal; that loads and copies Hydra's own settings too,
    0.1 s a line, and a sweep has a hundred lines.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException, UnsupportedValueType

    try:
        merged = OmegaConf.create(tree)
        OmegaConf.set_struct(merged, True)
        for word in rest:
            if word.package is not None:
                raise Refused(
                    f"{word.input_line}: {word.key_or_group!r} cannot be placed with @; write {word.key_or_group}=VALUE"
                )
            OmegaConf.update(merged, word.key_or_group, word.value(), merge=True)
        return OmegaConf.to_container(merged, resolve=True)  # type: ignore[return-value]
    except UnsupportedValueType as error:
        raise Refused(f"{error.full_key}: {_reason(error)}; declare it as str, int, float, bool or tuple[int, ...]") from error
    except OmegaConfBaseException as error:
        raise Refused(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """The line that says what is wrong: Hydra wraps it in where it happened."""
    while error.__cause__:
        error = error.__cause__
    return str(error).strip().splitlines()[0]
