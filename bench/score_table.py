"""How scores are printed: a row per system, the eight columns in the paper's groups, intervals below the values, chance below those."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text

    from bench.metrics.base import Metric
    from bench.scoring import Comparison, Scored

Scores = Mapping[str, Mapping[str, Any]]  # {metric id: {value, low, high, n, ...}}: a record's `scores`
Column = tuple["Metric", str]  # how it is shown, and the metric id that fills it

BESIDE = (
    "onset_precision.condfoley",
    "onset_f1.condfoley",
    "onset_ap.detection",
    "onset_count.condfoley",
)  # recall alone misleads
WIDE = 100  # columns taken where there is no terminal
SURE = 0.05  # differences with a smaller p are bold
LEGEND = (
    "Below each value its 95 % interval; chance: against the sound of other clips{ceiling}.\n"
    "FID has no unit, MKL and JS-Div are in nats, W-Dis in seconds, Class and Onset ACC in %."
)


def print_scored(scored: Scored, width: int | None = None) -> None:
    """Print the table, what stands beside Onset ACC, the differences between systems, and why columns are empty; at most 100 columns."""
    from rich.console import Console

    console = Console(width=width, highlight=False)
    if width is None and not console.is_terminal:
        console.width = WIDE
    systems = {s.name: s.scores for s in scored.systems}
    columns = columns_of(systems)
    console.print(f"[bold]{scored.clips} clips[/bold]")
    for text in fitting(systems, columns, console.width):
        console.print(text, end="")
    has_ceiling = any(told.get("ceiling") is not None for scores in systems.values() for told in scores.values())
    console.print(LEGEND.format(ceiling="; ceiling: the real sound itself" if has_ceiling else ""), markup=False)
    if any(BESIDE[0] in scores for scores in systems.values()):
        console.print("\n[bold]Beside Onset ACC, which is recall alone[/bold]")
        console.print(beside_table(systems), end="")
    if scored.comparisons:
        console.print("\n[bold]Differences, first minus second[/bold]")
        console.print(difference_table(scored.comparisons, columns), end="")
        console.print(
            "Paired by clip; p by permutation (FID: jackknife), Holm-corrected over this table.\n"
            "detectable: the smallest difference found four times in five at this N, before correction.", markup=False,
        )  # fmt: skip
    console.print()
    for line in remarks(systems, columns):
        console.print(line, markup=False)
    for line in scored.notes:
        console.print(line, markup=False)
    if scored.records:
        ids = ", ".join(path.stem for path in scored.records)
        console.print(f"Records in {scored.records[0].parent}: {ids}; per clip in rows/.", markup=False)


def columns_of(systems: Mapping[str, Scores]) -> list[Column]:
    """The eight columns, each with the metric id that fills it in the first system that has any."""
    from bench.metrics import METRICS, column_ids

    first = next(iter(systems.values()), {})
    return [(METRICS[column], id) for column, id in column_ids(first).items()]


def fitting(systems: Mapping[str, Scores], columns: Sequence[Column], width: int) -> list[Text]:
    """The table of scores, or one for each group of columns where it is wider than `width`."""
    whole = score_table(systems, columns)
    if max(map(len, whole.plain.splitlines())) <= width:
        return [whole]
    groups = dict.fromkeys(metric.group for metric, _ in columns)
    return [score_table(systems, [c for c in columns if c[0].group == group]) for group in groups]


def score_table(systems: Mapping[str, Scores], columns: Sequence[Column]) -> Text:
    """The columns of every system: value, interval, chance and ceiling."""
    from bench.grid import Grid

    grid = Grid([(metric.group, metric.heading) for metric, _ in columns])
    for name, scores in systems.items():
        told = [(metric, scores.get(id, {})) for metric, id in columns]
        grid.add(name, [_value(m, s.get("value")) for m, s in told], "bold")
        grid.add("", [_interval(m, s) for m, s in told], "dim")
        for extra in ("chance", "ceiling"):
            if any(s.get(extra) is not None for _, s in told):
                grid.add(f"  {extra}", [_value(m, s.get(extra), none="") for m, s in told], "dim")
    return grid.text()


def beside_table(systems: Mapping[str, Scores]) -> Text:
    """Precision, F1, average precision and equal counts of onsets, with their chance."""
    from bench.grid import Grid
    from bench.metrics import METRICS

    metrics = [METRICS[id] for id in BESIDE]
    grid = Grid([("Onsets", m.heading.removeprefix("Onset ")) for m in metrics])
    for name, scores in systems.items():
        for row, key, style in ((name, "value", ""), ("  chance", "chance", "dim")):
            grid.add(row, [_value(m, scores.get(m.id, {}).get(key)) for m in metrics], style)
    return grid.text()


def difference_table(comparisons: Sequence[Comparison], columns: Sequence[Column]) -> Text:
    """A row for every two systems: the difference in each column both have and, below it, p; * where p < 0.05."""
    from bench.grid import Grid

    there = {c.metric for c in comparisons}
    shown = [(metric, id) for metric, id in columns if id in there]
    grid = Grid([(metric.group, metric.heading) for metric, _ in shown], names=22)
    for pair in dict.fromkeys((c.first, c.second) for c in comparisons):
        found = {c.metric: c for c in comparisons if (c.first, c.second) == pair}
        grid.add(pair[0], [_difference(m, found.get(id)) for m, id in shown])
        grid.add(f"- {pair[1]}", [_p(found[id].p) if id in found else "" for _, id in shown], "dim")
        if any(c.difference.least is not None for c in found.values()):
            grid.add("  detectable", [_least(m, found.get(id)) for m, id in shown], "dim")
    return grid.text()


def remarks(systems: Mapping[str, Scores], columns: Sequence[Column]) -> Iterable[str]:
    """Why columns are empty, and how many clips each value leaves out, penalises or had to cut."""
    reasons: dict[str, list[str]] = {}
    for metric, id in columns:
        for scores in systems.values():
            why = scores.get(id, {}).get("why")
            if why and metric.label not in reasons.setdefault(why, []):
                reasons[why].append(metric.label)
    yield from (f"– {', '.join(labels)}: {why}" for why, labels in reasons.items())
    for name, scores in systems.items():
        counted: dict[str, list[str]] = {}
        for metric, id in columns:
            told = scores.get(id, {})
            odd = [f"{told[k]} {k.replace('_', ' ')}" for k in ("undefined", "penalised", "length_adjusted") if told.get(k)]
            if odd and told.get("value") is not None:
                counted.setdefault(f"{', '.join(odd)}, {told['n']} counted", []).append(metric.label)
        for what, labels in counted.items():
            yield f"{name}: {', '.join(labels)}: {what}."


def _value(metric: Metric, value: float | None, *, none: str = "–") -> str:
    return none if value is None else f"{value * metric.scale:.{metric.digits}f}"


def _interval(metric: Metric, told: Mapping[str, Any]) -> str:
    """One digit less than the value: it need not be read closer, and eight columns must fit."""
    if told.get("low") is None:
        return ""
    low, high = (f"{told[end] * metric.scale:.{max(1, metric.digits - 1)}f}" for end in ("low", "high"))
    return f"{low}…{high}"


def _difference(metric: Metric, found: Comparison | None) -> str:
    if found is None:
        return "–"
    sure = "*" if found.p is not None and found.p < SURE else ""
    return f"{found.difference.value * metric.scale:+.{metric.digits}f}{sure}"


def _least(metric: Metric, found: Comparison | None) -> str:
    """The smallest difference that these clips would tell four times in five."""
    if found is None or found.difference.least is None:
        return ""
    return f"±{found.difference.least * metric.scale:.{metric.digits}f}"


def _p(p: float | None) -> str:
    if p is None:
        return ""
    return "p<.001" if p < 0.001 else "p=1" if p > 0.9995 else f"p={p:.3f}".replace("0.", ".")
