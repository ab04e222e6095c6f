"""What a study found: its trials as a table, the front, and the lines that score its settings on test."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from bench.tune.choose import WHY
from bench.tune.space import Setting, words
from bench.tune.study import Objective, Study

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Tried:
    """A setting that has its values. intervals: 95 %, None where the record has none."""

    number: int
    setting: Setting
    values: tuple[float, ...]
    intervals: tuple[tuple[float | None, float | None], ...]
    codes: float | None
    feasible: bool
    front: bool


def tried(plan: Study, study: optuna.Study) -> list[Tried]:
    """Every complete trial, by its first value, the best first."""
    best = {t.number for t in study.best_trials}
    found = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        setting, told = plan.space.of(trial.params), trial.user_attrs
        if setting is None or trial.values is None:
            continue  # of a study that somebody else wrote into
        intervals = tuple((low, high) for low, high in told.get("intervals", [[None, None]] * len(trial.values)))
        feasible = all(v <= 0 for v in trial.constraints.values())
        front = trial.number in best
        found.append(Tried(trial.number, setting, tuple(trial.values), intervals, told.get("codes"), feasible, front))
    sign = 1 if plan.objectives[0].better == "lower" else -1
    return sorted(found, key=lambda t: (sign * t.values[0], t.number))


def shown(plan: Study, study: optuna.Study, total: int) -> None:
    """The table and what stands below it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = tried(plan, study)
    table = Table(title=f"{plan.name}: {plan.about}. Scored on val", title_justify="left")
    for name in ("front", "trial", *(d.short for d in plan.space.dimensions)):
        table.add_column(name, justify="right")
    for o in plan.objectives:
        table.add_column(f"{o.name} {'↓' if o.better == 'lower' else '↑'}", justify="right")
    table.add_column("codes", justify="right")
    for t in found:
        cells = [printed(o, value, interval) for o, value, interval in zip(plan.objectives, t.values, t.intervals, strict=True)]
        mark = "*" if t.front else "" if t.feasible else "over a bound"
        codes = "" if t.codes is None else f"{t.codes:.3g}" if t.codes >= 1e6 else f"{t.codes:.0f}"
        row = [mark, str(t.number), *(str(v) for v in t.setting.values()), *cells, codes]
        table.add_row(*(Text(cell) for cell in row), style="bold" if t.front else None)
    console = Console(width=None if Console().is_terminal else 150)
    console.print(table)
    trials = study.get_trials(deepcopy=False)
    running = sum(t.state == TrialState.RUNNING for t in trials)
    print(f"{len(found)} of {total} settings tried" + (f", {running} running" if running else "") + ".")
    for trial in trials:
        if trial.state == TrialState.FAIL and plan.space.of(trial.params) and WHY in trial.user_attrs:
            print(f"trial {trial.number} failed: {trial.user_attrs[WHY]} (--retry asks for its setting again)")
    best = [t for t in found if t.front]
    if best:
        print("On val alone these are the best; to score them on test, once, by predicted hints and true ones:")
        for t in best:
            print(f"  bench run {shlex.join(_line(plan, t.setting))}")


def printed(objective: Objective, value: float, interval: Sequence[float | None] = (None, None)) -> str:
    """`0.42 [0.35, 0.50]`, as a table prints a metric."""

    def one(x: float) -> str:
        return f"{x * objective.scale:.{objective.digits}f}"

    low, high = interval
    return one(value) if low is None or high is None else f"{one(value)} [{one(low)}, {one(high)}]"


def _line(plan: Study, setting: Setting) -> list[str]:
    """The setting's words without those of an objective: `bench run` shows true and predicted hints anyhow."""
    last = {word.partition("=")[0]: word for word in (*plan.common, *words(setting))}
    return [word for name, word in last.items() if name != "split"]
