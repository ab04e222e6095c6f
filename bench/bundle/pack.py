"""`bench pack`: chosen records, their rows, and what their judges heard, into one folder that `bench verify` can compute anew."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench import strangers
from bench.bundle.layout import ARRAY, EVIDENCE, FORMAT, MANIFEST, SEAL, Evidence, files, sha256
from bench.errors import Refused, near
from bench.identity import digest


@dataclass(frozen=True)
class Packed:
    """lacking: {record: why its numbers can only be checked against its rows}."""

    out: Path
    records: list[str]
    files: int
    bytes: int
    seal: str
    lacking: dict[str, str]


def chosen(names: Sequence[str], folders: Iterable[Path]) -> list[tuple[dict[str, Any], Path]]:
    """(record, its results folder) of each name: an id, the beginning of one, the name of a row, a path, or `all`."""
    known: dict[str, tuple[dict[str, Any], Path]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            told = strangers.record(path)
            known.setdefault(told["id"], (told, folder))
    found: dict[str, tuple[dict[str, Any], Path]] = {}
    for name in names:
        if Path(name).is_file():
            told = strangers.record(Path(name))
            found[told["id"]] = (told, Path(name).parent)
            continue
        fits = [id for id in known if name == "all" or id.startswith(name)]
        fits = fits or [id for id, (told, _) in known.items() if called(told) == name]
        if not fits:
            raise Refused(f"{name}: no such record.{near(name, known)}")
        if len(fits) > 1 and name != "all":
            raise Refused(f"{name}: {len(fits)} records begin so: {', '.join(fits[:5])}")
        found |= {id: known[id] for id in fits}
    return list(found.values())


def called(told: Mapping[str, Any]) -> str:
    """What a record's row or system is called; "" where nobody said."""
    return str(told.get("experiment", {}).get("name") or told.get("facts", {}).get("system") or "")


def pack(
    records: Sequence[tuple[dict[str, Any], Path]], out: Path, find: Callable[[str], Path], *, sound: bool = False
) -> Packed:
    """Write the bundle `out`, which must not exist; `find` gives the folder of an artefact by name.

    A record whose artefacts are not at hand is packed with its rows alone, and named. Raises Refused for records of failed runs.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refused(f"{out} is there already; a bundle goes into a folder of its own")
    failed = [told["id"] for told, _ in records if told.get("status") != "done" or not told.get("rows")]
    if failed:
        raise Refused(f"{failed[0]}: a record without rows (failed, or a check) cannot be verified; leave it out")
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        (draft / EVIDENCE).mkdir()
        known: dict[str, Evidence] = {}
        lacking: dict[str, str] = {}
        for told, folder in records:
            _results(told, folder, draft)
            known[told["id"]], why = _evidence(told, draft, find)
            if why:
                lacking[told["id"]] = why
            if sound:
                _sound(told, folder, draft, find)
        seal = _seal(draft, known)
        listed = files(draft)
        size = sum((draft / name).stat().st_size for name in listed)
        os.chmod(draft, 0o755)
        if out.exists():
            out.rmdir()
        os.rename(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Packed(out, list(known), len(listed), size, seal, lacking)


def _results(told: Mapping[str, Any], folder: Path, draft: Path) -> None:
    (draft / "rows").mkdir(exist_ok=True)
    rows = strangers.within(folder, told["rows"], f"record {told['id']}")
    shutil.copyfile(rows, draft / "rows" / f"{told['id']}.csv")
    without = folder / "rows" / f"{told['id']}.without.json"
    if without.is_file():
        shutil.copyfile(without, draft / "rows" / without.name)
    text = json.dumps({**told, "rows": f"rows/{told['id']}.csv"}, indent=1, ensure_ascii=False) + "\n"
    (draft / f"{told['id']}.json").write_text(text, encoding="utf-8")


class Inputs(NamedTuple):
    """What a record's scores were made from. labels: an artefact's name or the mapping that scoring was given."""

    heard: list[Path]
    real: list[Path]
    pairs: Path
    labels: Any


def inputs(told: Mapping[str, Any], find: Callable[[str], Path]) -> tuple[Inputs | None, str]:
    """(what the record's scores were made from, "") where all of it is at hand, or (None, why)."""
    name = told.get("made", {}).get("artefacts", {}).get("score") or told.get("made", {}).get("scores")
    scores = find(name) if isinstance(name, str) and strangers.ID.fullmatch(name) else None
    if scores is None or not (scores / "made.json").is_file():
        return None, f"the artefact of its scores ({name}) is not in the cache"
    heard, real, labels, pairs = json.loads((scores / "made.json").read_text())["inputs"][:4]
    made, truth = ([find(Path(name).name) for name in side] for side in (heard, real))
    found = Inputs(made, truth, find(Path(pairs).name), labels)
    gone = [p.name for p in [*found.heard, *found.real, found.pairs] if not p.is_dir()]
    gone += [labels] if isinstance(labels, str) and not find(labels).is_dir() else []
    return (None, f"{gone[0]} is not in the cache") if gone else (found, "")


def _evidence(told: Mapping[str, Any], draft: Path, find: Callable[[str], Path]) -> tuple[Evidence, str]:
    """(evidence, "") with everything copied, or (nothing, why)."""
    found, why = inputs(told, find)
    if found is None:
        return Evidence(), why
    for folder in {*found.heard, *found.real}:
        _heard(folder, draft / EVIDENCE / folder.name)
    shutil.copyfile(found.pairs / "pairs.csv", draft / EVIDENCE / f"{found.pairs.name}.csv")
    named = _labels(found.labels, find)
    label_file = f"labels-{digest(named)}.json"
    (draft / EVIDENCE / label_file).write_text(json.dumps(named, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    first, second = (tuple(p.name for p in side) for side in (found.heard, found.real))
    return Evidence(first, second, f"{found.pairs.name}.csv", label_file), ""


def _heard(folder: Path, to: Path) -> None:
    if to.exists():
        return
    to.mkdir()
    told = json.loads((folder / "heard.json").read_text())
    for name in ["heard.json", *(f"{array}.{suffix}" for array in told["provides"] for suffix in ARRAY)]:
        shutil.copyfile(folder / name, to / name)


def _labels(labels: Any, find: Callable[[str], Path]) -> dict[str, str]:
    """{clip: label} of a clips artefact by name, or the mapping that scoring was given."""
    if not isinstance(labels, str):
        return dict(labels or {})
    from bench.clipset import Clips

    return {id: clip.label for id, clip in Clips(find(labels)).rows.items() if clip.label}


def _sound(told: Mapping[str, Any], folder: Path, draft: Path, find: Callable[[str], Path]) -> None:
    place = told.get("facts", {}).get("sound")
    lies = [p for p in (folder / str(place), find(Path(str(place)).name)) if place and p.is_dir()]
    if not lies:
        raise Refused(f"record {told['id']}: its sounds are not at hand ({place}); pack without --sound")
    to = draft / EVIDENCE / "sound" / told["id"]
    to.mkdir(parents=True)
    for path in sorted(lies[0].iterdir()):
        if path.suffix in (".wav", ".csv") and path.is_file():
            shutil.copyfile(path, to / path.name)


def _seal(draft: Path, records: Mapping[str, Evidence]) -> str:
    """Write the manifest of everything that lies in `draft`; its digest."""
    from bench.store import packages

    told = {
        "format": FORMAT,
        "records": {id: asdict(of) for id, of in records.items()},
        "packages": packages(),
        "files": {name: {"sha256": sha256(draft / name), "bytes": (draft / name).stat().st_size} for name in files(draft)},
    }
    (draft / MANIFEST).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    seal = sha256(draft / MANIFEST)
    (draft / SEAL).write_text(seal + "\n")
    return seal
