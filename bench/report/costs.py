"""What a signal costs by itself, and how well it is predicted, from what its records say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.cost import NOTHING, predicted, sentence
from bench.report.cells import Cells
from bench.report.select import Kept
from bench.report.spec import Form, RowSpec

PAIRS = ({"acc", "chance"}, {"rmse", "of_the_mean"})  # what a predictor reaches, and what is reached without looking


@dataclass(frozen=True)
class Cost:
    """{form: (bits, reals) a second}; a form without records has no cost. given: reals a second that the video gives and nobody predicts."""

    forms: dict[str, tuple[float, float]]
    given: float = 0.0

    def texts(self, form: Form) -> list[str]:
        found = None if self.given else self.forms.get(form.name)
        return ["–", "–"] if found is None else [f"{found[0]:.0f}", f"{found[1]:.0f}"]


def cost_of(cells: Cells, row: RowSpec) -> Cost:
    """Of the records of `row`; none for rows that stand outside the ranks (text alone, the true mel)."""
    found, given = {}, 0.0
    for form in cells.spec.forms if row.ranked else ():
        records, _ = cells.records(row, form)
        done = [r for r in records if r.done and not r.outside and "facts.bits_per_slot" in r.flat]
        if done:
            found[form.name] = per_second(done[0])
            if done[0].flat.get("facts.source") == "video":
                given = _rate(done[0]) * sum(v for k, v in done[0].flat.items() if k.startswith("facts.measured.carried."))
    return Cost(found, given)


def told(cells: Cells, form: Form) -> Iterator[str]:
    """A line for each ranked row with records of `form`: what it costs, or, where it is predicted, how well (the mean of its runs)."""
    for row in (r for r in cells.spec.rows if r.ranked and cells.own(r, form)):
        facts = [r.told["facts"] for r in cells.records(row, form)[0] if r.done and not r.outside]
        seen = [f["predictor"] for f in facts if isinstance(f.get("predictor"), Mapping)]
        heads = {head: _mean([s[head] for s in seen if isinstance(s.get(head), Mapping)]) for head in (seen or [{}])[0]}
        said = [predicted(head, of) for head, of in heads.items() if any(of.keys() >= pair for pair in PAIRS)]
        if said:
            yield f"{row.label}: {'; '.join(said)}."
            continue
        known = sorted((f for f in facts if {"codes", "slots_per_second"} <= f.keys()), key=lambda f: "measured" not in f)
        if known and (costs := sentence(known[0])) != NOTHING:  # shipped networks need no training signal: it may not be measured
            yield f"{row.label} costs {costs}."


def _mean(seen: list[Mapping[str, Any]]) -> dict[str, float]:
    """Of the numbers that all of them say."""
    numbers = [k for k in (seen or [{}])[0] if all(isinstance(s.get(k), float) for s in seen)]
    return {k: sum(s[k] for s in seen) / len(seen) for k in numbers}


def per_second(record: Kept) -> tuple[float, float]:
    """(bits, reals) a second: those of a slot times the slots in a second, 25 or one per mel frame."""
    rate = _rate(record)
    return record.flat["facts.bits_per_slot"] * rate, record.flat["facts.reals_per_slot"] * rate


def _rate(record: Kept) -> float:
    """Slots in a second, as far as they can differ (`Control.slots_a_second`)."""
    if "facts.slots_per_second" in record.flat:
        return record.flat["facts.slots_per_second"]
    frames = record.flat["experiment.scale.rate"] / record.flat["experiment.scale.hop"]
    step = max(1, round(frames / 25)) if record.flat.get("experiment.slots") == "video" else 1
    return frames / step
