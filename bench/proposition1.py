"""Proposition 1 measured: how much the shape codes, the energy and the deviation of a slot tell about what sounds.

The paper says (4.1) that shapes cluster by sound event while energy and deviation are spread alike over events. Here that is a
number: the share of a label's entropy that one slot of a component tells (mutual information over the label's entropy). A component
with more symbols looks better by chance, and slots of a clip resemble each other, so each share stands beside what it is when the
labels are dealt anew to whole clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from bench.experiment import Experiment
    from bench.store import Store

AUDIBLE_DB = 40.0  # below a clip's loudest slot: quieter slots are left out, they are background
SLOTS = 25  # audible slots drawn from each clip, so that long clips do not count for more
LEVELS = 32  # quantiles into which a real number is cut; its own row shows what a finer or coarser cut would
PERMUTATIONS = 200
NUMBERS = ("share", "chance", "beyond", "p")


@dataclass(frozen=True)
class Told:
    """What one component tells about one label."""

    share: float  # of the label's entropy, 0 ... 1
    chance: float  # the mean of that share over permuted labels
    high: float  # their 95th percentile
    p: float  # share of permutations (and the truth itself) that tell at least as much
    symbols: int  # different values seen

    @property
    def beyond(self) -> float:
        """(share - chance) / (1 - chance): 0 at chance, 1 where a slot tells the label; the number to compare components by."""
        return (self.share - self.chance) / (1 - self.chance) if self.chance < 1 - 1e-9 else 0.0


def told(symbols: np.ndarray, clip: np.ndarray, label: np.ndarray, *, permutations: int = PERMUTATIONS, seed: int = 0) -> Told:
    """How much `symbols` [slots] tell about the labels of the clips they come from.

    symbols: anything that np.unique sorts. clip: [slots], the clip of each slot as an index into `label` [clips]. Labels are
    permuted over clips. Raises ValueError for fewer than two labels, or lengths that do not match.
    """
    if symbols.shape != clip.shape or symbols.ndim != 1 or not len(symbols):
        raise ValueError(f"one symbol and one clip for each slot are needed, got {symbols.shape} and {clip.shape}")
    _, label = np.unique(label, return_inverse=True)
    kinds = int(label.max()) + 1
    if kinds < 2:
        raise ValueError("all clips have the same label: there is nothing to tell apart")
    names, symbols = np.unique(symbols, return_inverse=True)
    per_clip = np.zeros((len(label), len(names)))
    np.add.at(per_clip, (clip, symbols), 1)
    present = per_clip.sum(1) > 0
    per_clip, label = per_clip[present], label[present]
    random = np.random.default_rng(seed)
    truth = _share(per_clip, label, kinds)
    dealt = np.array([_share(per_clip, random.permutation(label), kinds) for _ in range(permutations)])
    p = (1 + int((dealt >= truth - 1e-12).sum())) / (1 + permutations)
    return Told(truth, float(dealt.mean()), float(np.quantile(dealt, 0.95)), p, len(names))


def proposition1(
    signals: Sequence[Mapping[str, np.ndarray]],
    labels: Mapping[str, Sequence[str]],
    *,
    base: int = 81,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> pd.DataFrame:
    """A row per component and label: `about`, `component`, `symbols`, `clips`, `slots`, `share`, `chance`, `high`, `beyond`, `p`.

    signals: of each clip, Mel-QCD's `code` [slots, groups], `energy` and `deviation` [slots, 1]. labels: name of a label to its value
    for each clip; clips without one ("") are left out of its rows. base: codes of one group.
    """
    import pandas as pd

    random = np.random.default_rng(seed)
    drawn = [_drawn(s["energy"][:, 0], random) for s in signals]
    clip = np.repeat(np.arange(len(signals)), [len(d) for d in drawn])
    code, energy, deviation = (np.concatenate([s[n][d] for s, d in zip(signals, drawn)]) for n in ("code", "energy", "deviation"))
    parts = _components(code, energy[:, 0], deviation[:, 0], base)
    rows = []
    for about, values in labels.items():
        values = np.asarray(values, dtype=object).astype(str)
        kept = values[clip] != ""
        for name, symbols in parts.items():
            t = told(symbols[kept], clip[kept], values, permutations=permutations, seed=seed)
            counts = {"symbols": t.symbols, "clips": len(np.unique(clip[kept])), "slots": int(kept.sum())}
            scores = {"share": t.share, "chance": t.chance, "high": t.high, "beyond": t.beyond, "p": t.p}
            rows.append({"about": about, "component": name, **counts, **scores})
    return pd.DataFrame(rows)


def _components(code: np.ndarray, energy: np.ndarray, deviation: np.ndarray, base: int) -> dict[str, np.ndarray]:
    """Symbols [slots] of each component, and of pairs with as many symbols, so that a difference is not one of their number."""
    whole = (
        (code.astype(np.int64) * base ** np.arange(code.shape[1])).sum(1) if code.shape[1] * np.log2(base) < 62 else _rows(code)
    )
    # as many cells in energy x deviation as the codes use in fact: the fair opponent of the shape
    cells = max(2, round(len(np.unique(whole)) ** 0.5))
    parts = {"shape code": whole}
    if code.shape[1] > 1:
        parts |= {f"shape, group {g + 1} of {code.shape[1]}": code[:, g] for g in range(code.shape[1])}
    parts["energy"], parts["deviation"] = _quantiles(energy, LEVELS), _quantiles(deviation, LEVELS)
    parts["energy and deviation"] = _quantiles(energy, cells) * cells + _quantiles(deviation, cells)
    return parts


def _rows(code: np.ndarray) -> np.ndarray:
    return np.unique(code, axis=0, return_inverse=True)[1].reshape(-1)


def _quantiles(values: np.ndarray, cells: int) -> np.ndarray:
    """The cell, 0 ... cells - 1, of each value; cells hold equally many values unless many are equal."""
    return np.searchsorted(np.quantile(values, np.arange(1, cells) / cells), values, side="right")


def _drawn(energy: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Up to SLOTS of the audible slots of a clip, in order."""
    from math import log

    from melqcd.mel import MelScale

    span = 20 / log(10) * (MelScale().log_ceiling - MelScale().log_floor)  # dB in one image unit
    loud = np.flatnonzero((energy > 0) & (energy >= energy.max(initial=0) - AUDIBLE_DB / span))
    return np.sort(random.choice(loud, SLOTS, replace=False)) if len(loud) > SLOTS else loud


def _share(per_clip: np.ndarray, label: np.ndarray, kinds: int) -> float:
    """Mutual information of symbol and label over the label's entropy, both counted over slots."""
    table = np.zeros((kinds, per_clip.shape[1]))
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    table[label[order][starts]] = np.add.reduceat(per_clip[order], starts)
    table /= table.sum()

    def entropy(p: np.ndarray) -> float:
        p = p[p > 0]
        return float(-(p * np.log(p)).sum())

    of_label = entropy(table.sum(1))
    return (of_label + entropy(table.sum(0)) - entropy(table.ravel())) / of_label if of_label else 0.0


def measure(x: Experiment, store: Store) -> pd.DataFrame:
    """`proposition1` of the experiment's data: Mel-QCD as `x.control` has it, about class and, in the lab, material."""
    import json

    from bench import artefacts, chain
    from bench.clipset import Clips
    from bench.errors import Refused
    from bench.ragged import Ragged
    from controls.melqcd import MelQCD

    if not isinstance(x.control, MelQCD):
        raise Refused("Proposition 1 is about Mel-QCD: write control=melqcd, or leave it out")
    clips = Clips(chain.decoded(x.data, store))
    folder = store(artefacts.signals, x.control, x.scale, x.step, clips.folder)
    arrays = {name: Ragged(folder, name) for name in ("code", "energy", "deviation")}
    ids = clips.ids()
    signals = [{name: np.asarray(ragged[i]) for name, ragged in arrays.items()} for i in ids]
    labels = {"class": [clips.rows[i].label for i in ids]}
    truth = Path(clips.root) / "truth.json"
    if truth.is_file():
        told_of = json.loads(truth.read_text())
        labels["material"] = [told_of.get(i, {}).get("material", "") for i in ids]
    labels = {name: values for name, values in labels.items() if len(set(values) - {""}) > 1}
    if not labels:
        raise Refused("no clip of this data has a label, or all have the same: there is nothing to tell apart")
    return proposition1(signals, labels, base=x.control.classes)


def print_proposition1(x: Experiment, store: Store) -> None:
    """`measure` as a table on the terminal."""
    from rich.console import Console
    from rich.table import Table

    found = measure(x, store)
    table = Table(title="Proposition 1: the share of a label that one slot tells", title_justify="left")
    for column in ("about", "component"):
        table.add_column(column)
    for column in ("symbols", "slots", "share", "chance", "beyond chance", "p"):
        table.add_column(column, justify="right")
    for about, rows in found.groupby("about", sort=False):
        for r in rows.to_dict("records"):
            table.add_row(str(about), *(str(r[n]) for n in ("component", "symbols", "slots")), *(f"{r[n]:.3f}" for n in NUMBERS))
        table.add_section()
    console = Console()
    console.print(table)
    console.print(
        f"share: mutual information over the label's entropy, audible slots ({AUDIBLE_DB:g} dB), at most {SLOTS} a clip, "
        f"{found.clips.max()} clips. chance: the same with labels dealt anew to whole clips ({PERMUTATIONS} times). "
        f"beyond chance: (share - chance) / (1 - chance). Reals are cut into {LEVELS} quantiles; energy and deviation together into "
        "as many cells as the shape codes use."
    )
