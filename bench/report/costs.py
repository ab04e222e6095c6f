"""What a signal costs by itself: bits and real numbers a second, from what its records say."""

from __future__ import annotations

from dataclasses import dataclass

from bench.report.cells import Cells
from bench.report.select import Kept
from bench.report.spec import Form, RowSpec


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


def per_second(record: Kept) -> tuple[float, float]:
    """(bits, reals) a second: those of a slot times the slots in a second, 25 or one per mel frame."""
    rate = _rate(record)
    return record.flat["facts.bits_per_slot"] * rate, record.flat["facts.reals_per_slot"] * rate


def _rate(record: Kept) -> float:
    """Slots in a second."""
    frames = record.flat["experiment.scale.rate"] / record.flat["experiment.scale.hop"]
    step = max(1, round(frames / 25)) if record.flat.get("experiment.slots") == "video" else 1
    return frames / step
