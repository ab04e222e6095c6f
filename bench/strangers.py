"""Files that others may have written: JSON without surprises, records of the right types, rows of finite numbers. What is wrong is named."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import Refused

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 256 * 2**20  # bytes of one text file
LARGEST = 1e15  # of any score
CLIPS = 10**9  # of any count
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # of a record: it becomes a file's name
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # also what turns the direction of writing
COUNTS = ("n", "undefined", "penalised", "length_adjusted")
NUMBERS = ("value", "low", "high", "chance", "ceiling")
COLUMNS = ("clip", "sample", "metric", "value", "status")


def parsed(path: Path) -> Any:
    """The JSON in `path`; Refused for NaN and Infinity, a name twice in an object, numbers no float holds, nesting without end, too many
    bytes, other text.
    """
    try:
        if path.stat().st_size > LIMIT:
            raise ValueError(f"{path.stat().st_size} bytes are more than the {LIMIT} allowed")
        return json.loads(
            path.read_bytes().decode("utf-8"), parse_constant=_constant, parse_float=_float, object_pairs_hook=_object
        )
    except RecursionError as error:
        raise Refused(f"{path}: nested too deeply") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are such
        raise Refused(f"{path}: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two equal names they take: a file with such says two things."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
        raise ValueError(f"{twice[:40]!r} stands twice in one object")
    return found


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large")
    return value


def record(path: Path) -> dict[str, Any]:
    """The record in `path`, its types and ranges checked; Refused as "PATH is not a record: what is wrong"."""
    try:
        told = parsed(path)
    except Refused as error:
        raise Refused(f"{path} is not a record: {str(error).removeprefix(f'{path}: ')}") from error
    wrong = wrong_in(told)
    if wrong:
        raise Refused(f"{path} is not a record: {wrong}")
    return quiet(told)


def quiet(value: Any) -> Any:
    """`value` with the control characters of all its texts as ?: what others wrote must not steer a terminal. Lines and tabs stay."""
    if isinstance(value, dict):
        return {CONTROL.sub("?", k): quiet(v) for k, v in value.items()}
    if isinstance(value, list):
        return [quiet(v) for v in value]
    return CONTROL.sub("?", value) if isinstance(value, str) else value


def wrong_in(told: Any) -> str:
    """What keeps `told` from being a record; "" where nothing does."""
    if not isinstance(told, dict) or not isinstance(told.get("id"), str) or "scores" not in told:
        return "it has no id or no scores"
    if not ID.fullmatch(told["id"]):
        return f"its id {told['id'][:40]!r} is no plain name"
    for key, kind in (("kind", str), ("status", str), ("words", list), ("experiment", dict), ("facts", dict), ("made", dict)):
        if not isinstance(told.get(key, kind()), kind):
            return f"{key} must be {kind.__name__}, is {type(told[key]).__name__}"
    if not all(isinstance(w, str) for w in told.get("words", [])):
        return "words must be text"
    rows = told.get("rows")
    if rows is not None and not inside(rows):
        return f"it names rows at {str(rows)[:80]!r}, which is no place in its folder"
    if not isinstance(told["scores"], dict):
        return f"scores must be dict, is {type(told['scores']).__name__}"
    return next((f"scores.{id[:80]}: {wrong}" for id, s in told["scores"].items() if (wrong := _wrong_score(s))), "")


def _wrong_score(score: Any) -> str:
    if not isinstance(score, dict) or "value" not in score:
        return "must be a mapping with a value"
    for key in NUMBERS:
        value = score.get(key)
        if value is not None and not _number(value):
            return f"{key} must be a number below {LARGEST:g} or null, is {str(value)[:40]!r}"
    for key in COUNTS:
        value = score.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= CLIPS:
            return f"{key} must be a count, is {str(value)[:40]!r}"
    return ""


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def inside(name: Any) -> bool:
    """Whether `name` is a relative path in plain spelling that cannot leave its folder: no .., no drive, no backslash, no control character."""
    if not isinstance(name, str) or not 0 < len(name) < 1000 or re.search(r"[\\:\x00-\x1f\x7f]", name):
        return False
    return all(part not in ("", ".", "..") for part in name.split("/"))


def within(folder: Path, name: Any, whose: str) -> Path:
    """The file that `name` means below `folder`; Refused where it lies outside, also behind a link, or is not there."""
    path = (folder / name).resolve() if inside(name) else folder
    if path == folder or not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise Refused(f"{whose} names rows at {str(name)[:200]}, which is not there")
    return path


def rows(path: Path) -> pd.DataFrame:
    """The per-clip rows in `path`; clip ids are text, an empty value is nan. Refused naming column and line of what is no number."""
    import numpy as np
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise Refused(f"{path} is no table of rows: {' '.join(str(error).split())}") from error
    lacking = [name for name in COLUMNS if name not in table]
    if lacking:
        raise Refused(f"{path} has no column {lacking[0]}")
    for name, fine in (
        ("value", lambda v: np.abs(v) < LARGEST),
        ("sample", lambda v: (v >= 0) & (v < CLIPS) & (v == np.floor(v))),
    ):
        given = pd.Series(table[name])
        number = _numbers(given)
        bad = np.flatnonzero(~(fine(number.to_numpy()) | ((given == "").to_numpy() & (name == "value"))))
        if len(bad):
            raise Refused(f"{path}, line {bad[0] + 2}: {name} {given.iloc[bad[0]][:40]!r} is no number below {LARGEST:g}")
        table[name] = number if name == "value" else number.astype(np.int64)
    return table


def _numbers(given: pd.Series) -> pd.Series:
    """float64, to the last bit as written; nan where there is no number."""
    import pandas as pd

    try:
        return given.where(given != "", "nan").astype("float64")
    except ValueError:
        return pd.Series(pd.to_numeric(given, errors="coerce"), given.index, "float64")


def without(path: Path) -> dict[str, list[float | None]]:
    """{set metric: its value without each block of clips} in `path`; Refused where it is anything else."""
    told = parsed(path)
    if not isinstance(told, Mapping) or not all(
        isinstance(v, list) and all(x is None or _number(x) for x in v) for v in told.values()
    ):
        raise Refused(f"{path}: must be lists of numbers by metric")
    return dict(told)
