"""Which clips of which folders are scored against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.data.folder import read_table
from bench.errors import Refused
from bench.sounds import Sounds
from bench.stages.score import split_sample

NAMED = 4  # ids in one message


@dataclass(frozen=True)
class Chosen:
    """systems: {name: (its sounds, the ids that are scored)}; clips: the reference's ids that they are about."""

    systems: dict[str, tuple[Sounds, list[str]]]
    reference: Sounds
    clips: list[str]
    notes: list[str]  # what was left out, and why


def opened(generated: Sequence[Path], reference: Path, labels: Path | None) -> tuple[dict[str, Sounds], Sounds]:
    """({system: its sounds}, the real sounds). labels: a table of ids and labels; None: labels.csv in the reference's folder or, if it has a
    column `label`, in the one above.
    """
    above = Path(reference).expanduser().resolve().parent / "labels.csv"
    own = Path(reference).expanduser() / "labels.csv"
    if labels is None and not own.is_file() and above.is_file() and "label" in read_table(above)[0]:
        labels = above
    real = Sounds.open(reference, labels=labels)
    return {name: Sounds.open(path) for name, path in zip(names(generated), generated, strict=True)}, real


def names(folders: Sequence[Path]) -> list[str]:
    """A name for each folder: its last part, or as many of the last as it takes to tell them apart. Refused for the same folder twice."""
    parts = [Path(f).expanduser().resolve().parts for f in folders]
    if len(set(parts)) < len(parts):
        raise Refused(f"the same folder is given twice: {', '.join(map(str, folders))}")
    for last in range(1, max(map(len, parts), default=0) + 1):
        found = ["/".join(p[-last:]) for p in parts]
        if len(set(found)) == len(found):
            return found
    return [str(f) for f in folders]


def choose(systems: dict[str, Sounds], real: Sounds, *, allow_missing: bool) -> Chosen:
    """The clips that every system has. What a system has and the reference lacks, or lacks and another system has, is refused or, with
    `allow_missing`, left out of all. Reference clips that no system made are left alone, and noted.
    """
    known = set(real.ids)
    made = {name: {id: split_sample(id, known)[0] for id in sounds.ids} for name, sounds in systems.items()}
    notes: list[str] = []

    def leave(told: str, remedy: str) -> None:
        if not allow_missing:
            raise Refused(f"{told}: {remedy}, or leave them out on every side with --allow-missing")
        notes.append(f"{told}; left out.")

    for name, clips in made.items():
        if not known & set(clips.values()):
            raise Refused(
                f"no clip of {systems[name].folder} is in {real.folder}: files are paired by name without suffix, "
                f"here {some(clips.values())}, there {some(known)}"
            )
    for name, clips in made.items():
        if strange := set(clips.values()) - known:
            told = (
                f"{len(strange)} of the {len(clips)} clips in {systems[name].folder} are not in {real.folder} ({some(strange)})"
            )
            leave(told, "put the real ones there")
    per_system = [set(clips.values()) & known for clips in made.values()]
    every, common = set.union(*per_system), set.intersection(*per_system)
    for name, has in zip(made, per_system, strict=True):
        if lacking := every - has:
            told = f"{systems[name].folder} lacks {len(lacking)} of the {len(every)} clips that the other systems have ({some(lacking)})"
            leave(told, "add them")
    if not common:
        raise Refused("the systems have no clip in common: score them one by one")
    if rest := known - every:
        notes.append(f"Scored {len(common)} of the {len(known)} clips in {real.folder}: nobody generated {some(rest)}.")
    ids = {name: [id for id, clip in clips.items() if clip in common] for name, clips in made.items()}
    return Chosen({n: (systems[n], ids[n]) for n in systems}, real, sorted(common), notes)


def some(ids: Iterable[str]) -> str:
    """The first few of `ids`, quoted: for a message."""
    listed = sorted(set(ids))
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(map(repr, listed[:NAMED])) + more
