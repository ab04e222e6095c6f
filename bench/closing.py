"""How much of the way from a floor to a ceiling a system goes, clip by clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bench.scoring import System

METRICS = {"onset_acc.condfoley": "Onset ACC", "onset_f1.condfoley": "F1"}
DRAWS = 2000  # of clips, with replacement


class Share(NamedTuple):
    """1 where a system is as good as the ceiling, 0 where it is no better than the floor; `n` clips."""

    value: float
    low: float
    high: float
    n: int


def share(floor: Mapping[str, float], made: Mapping[str, float], ceiling: Mapping[str, float], *, seed: int = 0) -> Share | None:
    """(made - floor) / (ceiling - floor) of the means over clips that all three have, with a 95 % percentile bootstrap over clips.

    floor, made, ceiling: {clip: value}. None where the ceiling is not above the floor in the means, or hardly ever in the draws: then
    there is no way to go.
    """
    clips = [c for c in floor if c in made and c in ceiling and not np.isnan([floor[c], made[c], ceiling[c]]).any()]
    if not clips:
        return None
    values = np.array([[floor[c], made[c], ceiling[c]] for c in clips])
    draws = np.random.default_rng(seed).integers(0, len(clips), (DRAWS, len(clips)))
    means = values[draws].mean(1)
    ways = means[:, 2] - means[:, 0]
    whole = values.mean(0)
    if whole[2] <= whole[0] or np.mean(ways <= 0) > 0.025:
        return None
    low, high = np.percentile((means[:, 1] - means[:, 0])[ways > 0] / ways[ways > 0], [2.5, 97.5])
    return Share(float((whole[1] - whole[0]) / (whole[2] - whole[0])), float(low), float(high), len(clips))


def told(systems: Mapping[str, System]) -> Iterator[str]:
    """A sentence for each row between floor and ceiling: controls from none to oracle, the oracle from none to the reference."""
    for name, system in systems.items():
        ceiling = "reference" if name == "oracle" else "oracle"
        if name in ("none", "reference") or "none" not in systems or ceiling not in systems:
            continue
        parts = []
        for id, label in METRICS.items():
            found = share(*(_values(s, id) for s in (systems["none"], system, systems[ceiling])))
            if found:
                parts.append(f"{found.value:.0%} [{found.low:.0%}, {found.high:.0%}] in {label}")
        if parts:
            yield f"{name} closes {' and '.join(parts)} of the way from none to {ceiling}."


def _values(system: System, id: str) -> dict[str, float]:
    from bench.aggregate import per_clip

    rows = system.rows()
    rows = rows[rows["metric"] == id]
    return dict(zip(*per_clip(rows["clip"], rows["value"]), strict=True))
