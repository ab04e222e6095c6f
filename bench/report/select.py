"""Which records stand in one table: those that share all settings but the ones the report's rows and forms are about."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.record import read
from bench.report.judged import WRITTEN, current
from bench.report.spec import OWN, RowSpec, Spec, Where

SEEDS = ("experiment.sampling.seed", "experiment.predictor.training.seed", "experiment.controlnet.training.seed")
PROMPT = "experiment.prompt"
WORDS_SEED = "experiment.inversion.training.seed"  # that of the pseudo-words, where there are any
# {a path that says a record has the part: settings that came later, with what older records were made with}
BEFORE = {
    "experiment.control.is": {"experiment.inversion.is": "NoInversion"},
    "experiment.control.reading": {"experiment.control.composed": "once", "experiment.control.skew": 0},
    "experiment.inversion.tokens": {"experiment.inversion.live": False},
    "experiment.predictor.width": {"experiment.predictor.supervised": 1.0, "experiment.predictor.padding": "ignored"},
    "experiment.motion.black_to": {"experiment.motion.black": "cut"},
}
# the same of settings that are no departure
LATER = {
    "experiment.control.is": {"experiment.looks.is": "LabLooks", "experiment.looks.path": ""},
    "experiment.sampling.guidance": {"experiment.sampling.precision": "fp32"},
    "experiment.predictor.width": {"experiment.predictor.path": "", "experiment.predictor.allow_pickle": False},
    "experiment.controlnet.widths": {
        "experiment.controlnet.path": "",
        "experiment.controlnet.allow_pickle": False,
        "experiment.controlnet.hints": "true",
    },
}
# other values than these are departures of the published code: a report takes such records where it names the setting
CLEAN = {k: v for later in BEFORE.values() for k, v in later.items() if not k.endswith(".is")}


@dataclass(frozen=True)
class Kept:
    """A record, the folder it lies in, and its fields by dotted path."""

    told: Mapping[str, Any]
    folder: Path
    flat: Mapping[str, Any]

    @property
    def id(self) -> str:
        return self.told["id"]

    @property
    def done(self) -> bool:
        return self.told.get("status") == "done"

    @property
    def outside(self) -> bool:
        """Whether `bench score` made it, of sounds that some other system generated."""
        return self.told.get("kind") == "score"

    @property
    def when(self) -> tuple[str, float]:
        """How new it is: when it was written, by its own word, and by its file's where it is older than that word."""
        told, path = str(self.told.get("made", {}).get("written")), self.folder / f"{self.id}.json"
        return told if WRITTEN.fullmatch(told) else "", path.stat().st_mtime if path.is_file() else 0.0

    @property
    def seed(self) -> tuple:
        """What was drawn at random; () of the true sound through VAE and vocoder, of which nothing is."""
        if self.told.get("kind") == "reference":
            return ()
        return (*(self.flat.get(name) for name in SEEDS), self.flat.get(WORDS_SEED, self.flat.get(SEEDS[0])))

    def suits(self, where: Where) -> bool:
        for path, wanted in where.items():
            if path not in self.flat:
                return False
            if self.flat[path] not in (wanted if isinstance(wanted, list) else [wanted]):
                return False
        return True


@dataclass(frozen=True)
class Group:
    """Records of one table: equal settings, equal clips. apart: what tells this table from the others."""

    records: tuple[Kept, ...]
    apart: dict[str, Any]
    clips_hash: str
    left: tuple[str, ...] = ()  # why records of these settings and clips are not among them

    @property
    def clips(self) -> int:
        """Clips that the most complete metric of any record counts."""
        return max((s.get("n") or 0 for r in self.records for s in r.told["scores"].values()), default=0)

    @property
    def rendered(self) -> bool:
        """Whether the clips are the procedural world's."""
        return any(r.flat.get("experiment.data.is") == "Lab" or r.flat.get("facts.rendered") for r in self.records)

    @property
    def about(self) -> str:
        """Which clips and prompt the numbers are about, and what else tells them from other tables."""
        first = next((r for r in self.records if r.done), self.records[0]).flat
        clips = f"{self.clips} {first.get('experiment.split', 'test')} clips of {first.get('experiment.data.is', 'unknown data')}"
        apart = spoken({k: v for k, v in self.apart.items() if k not in (PROMPT, "clips")})
        prompts = dict.fromkeys(str(r.flat[PROMPT]) for r in self.records if r.done and PROMPT in r.flat)
        prompt = f"prompt={' or '.join(prompts) or first.get(PROMPT, 'unknown')}"
        return "; ".join([f"{clips} (list {self.clips_hash or 'unknown'}), {prompt}", *([apart] if apart else [])])


def flat(told: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """{dotted path: value} of nested mappings; lists stay as they are."""
    found: dict[str, Any] = {}
    for key, value in told.items():
        path = f"{at}{key}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{path}.")
        else:
            found[path] = value
    return found


def kept(folders: Sequence[Path]) -> list[Kept]:
    """Every record in `folders`; of one id in several folders a finished one, of several finished ones the first."""
    found: dict[str, Kept] = {}
    for folder in folders:
        for told in read(folder):
            found_in = flat(told)
            both = (*BEFORE.items(), *LATER.items())
            older = {k: v for path, later in both if path in found_in for k, v in later.items()}
            one = Kept(told, folder, {**older, **found_in})
            if one.id not in found or (one.done and not found[one.id].done):
                found[one.id] = one
    return list(found.values())


def groups(records: Sequence[Kept], spec: Spec, where: Where) -> tuple[list[Group], list[str]]:
    """(tables, most complete first; why records that a row would take are in none of them).

    Sounds of other systems (`bench score`) have no settings: they stand in every table of the same clips.
    """
    suiting = [r for r in records if r.outside or r.suits({**spec.where, **where})]
    suiting = [r for r in suiting if any(of_row(r, row) for row in spec.rows)]
    unnamed = {k: v for k, v in CLEAN.items() if k not in {*spec.free, *spec.where, *where}}
    suiting = [r for r in suiting if all(r.flat.get(k, v) == v for k, v in unnamed.items())]
    free = _free(spec)
    by_settings: dict[str, list[Kept]] = {}
    outside = [r for r in suiting if r.outside]
    for record in (r for r in suiting if not r.outside):
        by_settings.setdefault(json.dumps(_settings(record, free), sort_keys=True), []).append(record)
    parts = []
    for same in by_settings.values():
        hashes = sorted({r.told["facts"].get("clips_hash", "") for r in same if r.done}) or [""]
        parts += [(h, [r for r in same if not r.done or r.told["facts"].get("clips_hash", "") == h]) for h in hashes]
    parts += [(h, []) for h in sorted({r.told["facts"].get("clips_hash", "") for r in outside} - {h for h, _ in parts})]
    parts = [(h, [*part, *(r for r in outside if r.told["facts"].get("clips_hash", "") == h)]) for h, part in parts]
    apart = _apart([(h, _settings(part[0], free)) for h, part in parts])
    taken = [current(part) for _, part in parts]
    found = [Group(tuple(some), differs, h, left) for (h, _), differs, (some, left) in zip(parts, apart, taken, strict=True)]
    found.sort(key=lambda g: (-_filled(g, spec), g.clips, g.apart.get(PROMPT) != "label", json.dumps(g.apart, default=str)))
    shown = [g for g in found if _filled(g, spec) > 1] or found[:1]
    lone = [
        f"{len(g.records)} records stand in no table, their settings are no other row's: {spoken(g.apart) or 'no difference'}"
        for g in found
        if g not in shown
    ]
    return shown, lone


def of_row(record: Kept, row: RowSpec) -> bool:
    """Whether `row` takes `record`; runs unless the row asks for another kind."""
    return record.suits({"kind": "run", **row.where})


def spoken(apart: Mapping[str, Any]) -> str:
    return ", ".join(f"{path.removeprefix('experiment.')}={value}" for path, value in apart.items())


def _free(spec: Spec) -> Callable[[str], bool]:
    """Whether records of one table may differ in a setting."""
    exact = {*spec.free, *SEEDS, WORDS_SEED, f"{OWN}name"}
    return lambda path: path in exact or path.startswith(spec.components) or path.endswith(".root") or not path.startswith(OWN)


def _settings(record: Kept, free: Callable[[str], bool]) -> dict[str, Any]:
    """Those in which all records of a table agree."""
    flat = {} if record.outside else record.flat
    return {path: value for path, value in flat.items() if not free(path)}


def _apart(parts: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The settings in which each part is not like all the others; the list of clips where nothing else tells two apart."""
    paths = dict.fromkeys(path for _, settings in parts for path in settings)
    differ = [p for p in paths if len({json.dumps(s.get(p), sort_keys=True, default=str) for _, s in parts}) > 1]
    told = [{p: settings[p] for p in differ if p in settings} for _, settings in parts]
    same = Counter(json.dumps(t, default=str) for t in told)
    return [
        {**t, "clips": h or "none"} if same[json.dumps(t, default=str)] > 1 else t for t, (h, _) in zip(told, parts, strict=True)
    ]


def _fills(group: Group, row: RowSpec) -> bool:
    return any(of_row(r, row) for r in group.records)


def _filled(group: Group, spec: Spec) -> int:
    return sum(_fills(group, row) for row in spec.rows)
