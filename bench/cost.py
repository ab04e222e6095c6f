"""What a control signal costs: nominal bits at its slots, how much of them its true stream uses, and how well it is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, log2
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from controls.base import Control
    from melqcd.heads import Head


MANY = 10**6  # codes; more are told as a power of two
NOTHING = "nothing"  # what text alone costs


def entropy(counts: np.ndarray, size: int) -> float:
    """Bits of one choice among `size` codes that were seen `counts` times; NaN where none was seen.

    Plug-in estimate plus Miller and Madow's correction for its bias, (codes seen - 1) / (2 N) nats, and at most log2(size): of few
    observations of many codes both are too low, which is why the number of slots stands beside it.

    >>> entropy(np.full(8, 100), 8)
    3.0
    >>> entropy(np.array([100, 0]), 2)
    0.0
    """
    seen = np.asarray(counts, np.float64)
    seen = seen[seen > 0]
    total = seen.sum()
    if not total:
        return float("nan")
    share = seen / total
    plug_in = float(-(share * np.log2(share)).sum())
    return min(max(0.0, plug_in) + (len(seen) - 1) / (2 * total * log(2)), log2(size))


def head_entropy(head: Head, values: np.ndarray) -> float | None:
    """Bits of one slot of a head's stream `values` [slots, n]: the sum over its n choices, as if they told nothing of one another.

    An upper bound of their joint entropy, as is each slot taken without those before it. None for scalars, which have no codes.
    """
    if head.kind == "scalar":
        return None
    size = head.size if head.kind == "class" else 2
    codes = np.asarray(values).astype(np.int64)
    return float(sum(entropy(np.bincount(codes[:, i], minlength=size), size) for i in range(codes.shape[1])))


def nominal(control: Control, slots_per_second: float) -> dict[str, Any]:
    """What `control` costs before anything is measured: of a slot, and of a second at its slots, as far as they can differ."""
    cost, slots_per_second = control.complexity(), min(slots_per_second, control.slots_a_second)
    told: dict[str, Any] = {"codes": cost.codes, "bits_per_slot": cost.bits, "reals_per_slot": cost.reals}
    return told | {"slots_per_second": slots_per_second, "bits_per_second": cost.bits * slots_per_second}


def sentence(facts: Mapping[str, Any]) -> str:
    """A record's facts about cost in words, NOTHING where there is nothing; tests/test_cost.py shows one."""
    rate, measured, parts = facts["slots_per_second"], facts.get("measured") or {}, []
    if facts["codes"] > 1:
        codes = facts["codes"] if facts["codes"] < MANY else f"2^{facts['bits_per_slot']:.4g}"
        parts.append(f"{codes} codes: {_bits(facts['bits_per_slot'], rate)}")
    if measured.get("entropy_per_slot") is not None:
        parts.append(f"measured on {measured['slots']} training slots: {_bits(measured['entropy_per_slot'], rate)}")
    carried = sum(measured.get("carried", {}).values())
    for reals, more in ((facts["reals_per_slot"], ""), (carried, " that nobody predicts")):
        if reals:
            parts.append(f"{reals} real{'s' * (reals != 1)} a slot{more}")
    return "; ".join(parts) or NOTHING


def predicted(head: str, seen: Mapping[str, Any]) -> str:
    """How well a head is predicted, in words, beside what is reached without looking: a record's `facts.predictor` of that head."""
    if "acc" not in seen:
        return f"predictor of {head}: error {seen['rmse']:.4f} (of the mean {seen['of_the_mean']:.4f})"
    text = f"predictor of {head}: ACC {seen['acc']:.1%} (majority class {seen['chance']:.1%})"
    text += f", Sim {seen['sim']:.3f}" if "sim" in seen else ""
    text += f", F1 {seen['f1']:.3f}" if "f1" in seen else ""
    text += f" (always yes {seen['f1_chance']:.3f})" if "f1_chance" in seen else ""
    return text + (", its threshold chosen on training clips, for val has no yes" if seen.get("chosen_on") == "train" else "")


def _bits(bits: float, rate: float) -> str:
    return f"{bits:.4g} bit{'s' * (bits != 1)} a slot, {bits * rate:.4g} a second"
