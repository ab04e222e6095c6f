"""Where the sounds, films, hints and onsets behind a record lie. A record only names artefacts; paths come from the store itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import Refused
from bench.report.select import Kept
from bench.sounds import Sounds

NAME = re.compile(r"[a-z]+(-[a-z]+)*-[0-9a-f]{16}")  # of an artefact; nothing else that a record says is taken for a path


@dataclass(frozen=True)
class Sources:
    """What there is of one record. made, real: its sounds and the true ones; onsets_*: arrays of a judge; why: what is missing."""

    made: Sounds | None = None
    real: Sounds | None = None
    films: Path | None = None
    signals: Path | None = None  # those that the hints were drawn from
    onsets_made: Path | None = None
    onsets_real: Path | None = None
    why: str = ""


class Places:
    """Artefacts by name under `roots`, the folders that stores keep them in."""

    def __init__(self, roots: Sequence[Path]):
        self.roots = roots

    def find(self, name: Any) -> Path | None:
        """The artefact called `name`; None if it is not here. Refused if that is no artefact's name."""
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise Refused(f"{name!r} is not the name of an artefact")
        return next((root / name for root in self.roots if (root / name).is_dir()), None)

    def of(self, record: Kept) -> Sources:
        """What lies here of `record`."""
        made = record.told.get("made") or {}
        named = made.get("artefacts") or {} if isinstance(made, Mapping) else None
        if not isinstance(named, Mapping):
            return Sources(why="the record does not name its artefacts as it should")
        try:
            score = self._named({**made, **named}, "score", "scores")
            sides = [self._side(names) for names in _inputs(score)[:2]] if score else [(None, None)] * 2
            films, signals, sound, clips = (
                self._named(named, *names) for names in (("films",), ("hints", "signals"), ("sound", "reference"), ("clips",))
            )
        except Refused as error:
            return Sources(why=str(error))
        # scored again elsewhere: the sounds may be here without these scores
        made, real = (heard or (Sounds.open(p) if p else None) for (heard, _), p in zip(sides, (sound, clips), strict=True))
        if made is None:
            return Sources(why="its sound is not on this machine: the command that made it makes it again")
        return Sources(made, real, films, signals, sides[0][1], sides[1][1])

    def _named(self, named: Mapping[str, Any], *names: str) -> Path | None:
        told = next((named[n] for n in names if n in named), None)
        return None if told is None else self.find(told)

    def _side(self, judges: Any) -> tuple[Sounds | None, Path | None]:
        """(the sounds that some judges heard, the judge's artefact that holds their onsets)."""
        sounds = onsets = None
        for name in judges if isinstance(judges, list) else []:
            heard = self.find(Path(str(name)).name)
            if heard is None:
                continue
            told = json.loads((heard / "heard.json").read_text())
            if told.get("trimmed"):
                continue
            if "onsets" in told.get("provides", ()):
                onsets = heard
            sounds = sounds or self._heard(_inputs(heard))
        return sounds, onsets

    def _heard(self, inputs: list[Any]) -> Sounds | None:
        """The folder that a judge listened to: the second of its inputs, an artefact or what a user gave."""
        told = inputs[1] if len(inputs) > 1 else None
        place = Path(told["root"]) if isinstance(told, dict) and "root" in told else self.find(Path(str(told)).name)
        return Sounds.open(place) if place is not None and place.is_dir() else None


def _inputs(artefact: Path) -> list[Any]:
    return json.loads((artefact / "made.json").read_text())["inputs"]
