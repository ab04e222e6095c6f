"""Blind A/B: which of two systems' sounds fits better, asked without names; the votes come back as a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import Refused
from bench.identity import digest

if TYPE_CHECKING:
    from bench.report.html.group import Behind
    from bench.report.html.media import Media

MOST = 24  # trials of one sitting: about ten minutes
CHOICES = ("first", "second", "same")


@dataclass(frozen=True)
class Tally:
    """How often `first` was preferred to `second`; p: exact two-sided sign test without the undecided, Holm-corrected over all pairs."""

    first: str
    second: str
    wins: int
    losses: int
    same: int
    p: float | None


def trials(behind: Sequence[Behind], media: Media) -> list[dict[str, Any]]:
    """Pairs of systems on the same clip, pairs and clips taken in turn; [] where no two systems have sound."""
    found = []
    for b in behind[:1]:
        systems = [i for i, s in enumerate(b.systems) if s.sources.made]
        pairs = list(combinations(systems, 2))
        clips = b.gallery(MOST)
        count = min(MOST, len(pairs) * len(clips))
        rounds = -(-count // max(1, len(pairs)))
        for n in range(count):
            which = n % len(pairs)
            first, second = pairs[which]
            clip = clips[
                (n // len(pairs) + rounds * which) % len(clips)
            ]  # each pair on clips of its own as long as there are some
            b.collect(media, [(first, clip), (second, clip)])
            sounds = [b.systems[i].made.get(clip) for i in (first, second)]
            if not all(sounds):
                continue
            records = [b.systems[i].record.id for i in (first, second)]
            shown = [{k: s[k] for k in ("kind", "src", "seconds", "poster") if k in s} for s in sounds if s]
            id = digest([*records, b.clips[clip]])
            turn = -1 if int(id, 16) % 2 else 1  # which stands first in the page tells nothing either
            found.append({"id": id, "clip": b.clips[clip], "records": records[::turn], "sounds": shown[::turn]})
    return list({t["id"]: t for t in found}.values())


def digest_of(made: Sequence[dict[str, Any]]) -> str:
    """By which votes are kept apart: another list of trials starts anew."""
    return hashlib.sha256(json.dumps([t["id"] for t in made]).encode()).hexdigest()[:16]


def read(path: Path) -> list[dict[str, str]]:
    """The votes in a file that the page exported: {first, second, clip, choice} each; Refused naming what is wrong in it."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path} holds no votes: {error}") from error
    votes = told.get("votes") if isinstance(told, dict) else None
    if not isinstance(votes, list):
        raise Refused(f"{path} holds no votes: the page's Export button writes such a file")
    for i, vote in enumerate(votes):
        if not isinstance(vote, dict) or not all(isinstance(vote.get(k), str) for k in ("first", "second", "clip", "choice")):
            raise Refused(f"{path}: vote {i + 1} needs first, second, clip and choice as texts, got {vote!r:.200}")
        if vote["choice"] not in CHOICES or vote["first"] == vote["second"]:
            raise Refused(
                f"{path}: vote {i + 1}: choice must be one of {', '.join(CHOICES)} of two systems, got {vote['choice']!r:.200}"
            )
    return [{k: vote[k] for k in ("first", "second", "clip", "choice")} for vote in votes]


def tallied(votes: Sequence[dict[str, str]], names: dict[str, str]) -> tuple[list[Tally], int]:
    """(a line for each pair of systems, votes on records that are not in `names` {record id: system})."""
    from scipy import stats

    from bench.stats import holm

    counted: dict[tuple[str, str], list[int]] = {}
    unknown = 0
    for vote in votes:
        if vote["first"] not in names or vote["second"] not in names:
            unknown += 1
            continue
        a, b = sorted((vote["first"], vote["second"]))
        choice = vote["choice"]
        if (a, b) != (vote["first"], vote["second"]) and choice != "same":
            choice = "second" if choice == "first" else "first"
        counted.setdefault((a, b), [0, 0, 0])[CHOICES.index(choice)] += 1
    p = [float(stats.binomtest(w, w + l).pvalue) if w + l else None for w, l, _ in counted.values()]
    lines = [
        Tally(names[a], names[b], n[0], n[1], n[2], corrected)
        for ((a, b), n), corrected in zip(counted.items(), holm(p), strict=True)
    ]  # fmt: skip
    return lines, unknown
