"""The strip of checks: what `bench check`, `bench lab check` and others of their kind found, green or red."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.report.select import Kept

RESULTS = ("run", "score", "reference")  # kinds of records that are results, no checks
NO_CHECKS = (*RESULTS, "budget")  # a budget shares a gap out, which neither holds nor fails
TOLD = 8  # measures that a chip names on focus
VERDICTS = ("fine", "ok", "passed", "holds")  # facts by which a check says it of itself


@dataclass(frozen=True)
class Check:
    """fine: None where a record does not say. items: (what, found and asked, fine) of each measure."""

    name: str
    fine: bool | None
    about: str
    items: list[tuple[str, str, bool | None]] = field(default_factory=list)
    record: str = ""

    @property
    def count(self) -> str:
        """How many of its measures hold; "" where they do not say."""
        known = [fine for *_, fine in self.items if fine is not None]
        return f"{sum(known)} of {len(known)}" if known else ""

    @property
    def tip(self) -> str:
        """What was checked, in a line: first what does not hold, then the rest, and of a long list its beginning."""
        wrong = [what for what, _, fine in self.items if fine is False]
        right = [what for what, _, fine in self.items if fine is not False]
        told = [f"{what} does not hold" for what in wrong[:TOLD]] + right[: max(0, TOLD - len(wrong))]
        more = len(self.items) - len(told)
        return "; ".join([*([self.about] if self.about else []), *told, *([f"and {more} more"] if more else [])]) or self.name


def checks(records: Sequence[Kept]) -> list[Check]:
    """One for each record that is a check, red ones first."""
    found = [_check(r) for r in records if r.told.get("kind") not in NO_CHECKS]
    return sorted(found, key=lambda c: (c.fine is not False, c.name, c.record))


def _check(record: Kept) -> Check:
    facts = record.told.get("facts", {})
    items = [_item(str(what), of) for what, of in record.told.get("scores", {}).items()]
    items += [_item(_what(of), of) for of in _listed(facts)]
    if isinstance(facts.get("deaf"), list):
        items += [(f"{way} hints change the sound", "no", False) for way in map(str, facts["deaf"])]
        items += [] if facts["deaf"] else [("wrong hints change the sound", "yes", True)]
    said = next((facts[v] for v in VERDICTS if isinstance(facts.get(v), bool)), None)
    known = [fine for *_, fine in items if fine is not None]
    fine = False if record.told.get("status") == "failed" else said if said is not None else all(known) if known else None
    return Check(str(record.told.get("kind")), fine, _about(record), items, record.id)


def _what(of: Mapping[str, Any]) -> str:
    """The name of a measure; of a canary its metric and what was done to the sound."""
    named = of.get("what") or of.get("name") or of.get("id")
    return str(named) if named else ", ".join(str(of[k]) for k in ("metric", "way") if of.get(k)) or "?"


def _listed(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Measures that a record lists under `checks`, `measures` or `canaries`."""
    lists = [facts[name] for name in ("checks", "measures", "canaries", "rules") if isinstance(facts.get(name), list)]
    return [of for found in lists for of in found if isinstance(of, Mapping)]


def _item(what: str, of: Mapping[str, Any]) -> tuple[str, str, bool | None]:
    """A measure as text, and whether it holds: as it says itself, or by its bound."""
    value, bound = of.get("value", of.get("found")), of.get("bound")
    fine = next((of[v] for v in VERDICTS if isinstance(of.get(v), bool)), None)
    parts = [] if value is None else [f"{value:.4g}" if isinstance(value, float) else str(value)]
    if isinstance(bound, (int, float)) and isinstance(value, (int, float)):
        least = of.get("at_least", True)
        parts.append(f"{'at least' if least else 'at most'} {bound:.4g}")
        fine = fine if fine is not None else (value >= bound if least else value <= bound)
    else:
        parts += [f"{k} {of[k]}" for k in ("expected", "asked") if of.get(k) is not None]
    parts += [str(of[k]) for k in ("why", "detail", "judge") if of.get(k)]
    return what, ", ".join(parts), fine


def _about(record: Kept) -> str:
    """What was checked: the words of the command, or the control where it is one that is checked."""
    words = [w for w in record.told.get("words", []) if not w.startswith("machine")]
    control = record.flat.get("experiment.control.is", "") if record.told.get("kind") == "response" else ""
    return " ".join(words) or str(control)
