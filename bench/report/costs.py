"""What a signal costs by itself: bits and real numbers a second, from what its records say."""

from __future__ import annotations

from dataclasses import dataclass

from bench.report.cells import Cells
from bench.report.select import Kept
from bench.report.spec import Form, RowSpec


@dataclass(frozen=True)
class Cost:
    """{form: (bits, reals) a second}; a form without records has no cost."""

    forms: dict[str, tuple[float, float]]

    def texts(self, form: Form) -> list[str]:
        found = self.forms.get(form.name)
        return ["–", "–"] if found is None else [f"{found[0]:.0f}", f"{found[1]:.0f}"]


def cost_of(cells: Cells, row: RowSpec) -> Cost:
    """Of the records of `row`; none for rows that stand outside the ranks (text alone, the true mel)."""
    found = {}
    for form in cells.spec.forms if row.ranked else ():
        records, _ = cells.records(row, form)
        done = [r for r in records if r.done and not r.outside and "facts.bits_per_slot" in r.flat]
        if done:
            found[form.name] = per_second(done[0])
    return Cost(found)


def per_second(record: Kept) -> tuple[float, float]:
    """(bits, reals) a second: those of a slot times the slots in a second, 25 or one per mel frame."""
    flat = record.flat
    frames = flat["experiment.scale.rate"] / flat["experiment.scale.hop"]
    step = max(1, round(frames / 25)) if flat.get("experiment.slots") == "video" else 1
    return flat["facts.bits_per_slot"] * frames / step, flat["facts.reals_per_slot"] * frames / step
