"""What an audit finds in a printed table, as values: counts behind percentages, bolds that survive, scales that differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.audit.counts import (
    SURE,
    Fit,
    against,
    best_of_range,
    by_chance,
    detectable,
    fit,
    fitting,
    least_paired,
)
from bench.audit.table import Column, Table, known

MULTIPLES = range(1, 9)  # of the stated N that are tried: several samples a clip, or several test sets
APART = 20  # factor from which on two columns of one metric are of unlike scale


@dataclass(frozen=True)
class Shares:
    """One metric's percentages over the whole table, read as counts. fits: of each printed value at N = `n`."""

    metric: str
    values: tuple[tuple[str, str, str], ...]  # row, form, printed
    scale: int
    n: int | None  # the N for which they are read: the stated one or its least multiple that fits all
    fits: dict[str, Fit | None]  # at `n`, or at the stated N if none fits all
    stated: int | None
    chance: float  # share of all printable values that would fit `n` (or the stated N)
    possible: tuple[int, ...]  # every N that fits all to the nearest digit
    possible_up: tuple[int, ...]  # the same where values may also have been rounded up
    best: tuple[int, tuple[int, ...]] | None = None  # where a range is stated: most that fit, and for which N

    @property
    def counted(self) -> bool:
        return self.n is not None

    @property
    def outside(self) -> list[str]:
        """Printed values that are no k of the stated N."""
        return [t for _, _, t in self.values if self.stated and fit(t, self.stated, self.scale) is None]

    @property
    def rounded_up(self) -> list[tuple[str, int]]:
        """(printed, k) of the values that fit only if they were rounded up; each once."""
        return [(t, f.k) for t, f in self.fits.items() if f is not None and f.way == "up"]


@dataclass(frozen=True)
class Rival:
    """Another row beside the bold one: how many clips behind, and how sure that is."""

    row: str
    printed: str
    k: int
    behind: int
    p: float
    p_holm: float


@dataclass(frozen=True)
class Bold:
    """A bold value of a counted column. verdict: survives (every rival p < 0.05 after Holm), cannot (a lead too small for any paired
    test), or open: only results per clip can tell.
    """

    column: str
    row: str
    printed: str
    k: int
    n: int
    rivals: tuple[Rival, ...]
    detectable: int | None  # clips behind that an unpaired test needs
    paired: int | None  # clips of lead without which no paired test can tell
    best: bool  # False: the file marks a value that is not the best

    @property
    def verdict(self) -> str:
        if all(r.p_holm < SURE for r in self.rivals):
            return "survives"
        if self.paired is None or any(r.behind < self.paired for r in self.rivals):
            return "cannot"
        return "open"


@dataclass(frozen=True)
class Unlike:
    """Numbers of one metric of which some seem to be 100 times the others."""

    metric: str
    here: str
    there: str


@dataclass(frozen=True)
class Audit:
    table: Table
    shares: tuple[Shares, ...]
    bolds: tuple[Bold, ...]
    unlike: tuple[Unlike, ...]
    untested: tuple[str, ...]  # columns whose bolds no printed table can test


def audit(table: Table, beside: Iterable[Table] = ()) -> Audit:
    """Everything found in `table`; `beside` are tables of the same source, for scales alone."""
    counted = [c.metric for c in table.columns if c.unit == "%"]
    shares = tuple(_shares(table, metric) for metric in dict.fromkeys(counted))
    by_metric = {s.metric: s for s in shares}
    bolds, untested = [], []
    for place, column in enumerate(table.columns):
        found = by_metric.get(column.metric)
        if found is None or not found.counted:
            untested.append(column.name)
        elif column.better:
            bolds += _bolds(table, place, column, found)
    return Audit(table, shares, tuple(bolds), tuple(_unlike(table, beside)), tuple(untested))


def _shares(table: Table, metric: str) -> Shares:
    places = [i for i, c in enumerate(table.columns) if c.metric == metric]
    values = tuple((row, table.columns[i].form, cell.text) for i in places for row, cell in table.cells(i))
    texts = [t for _, _, t in values]
    scale = 100 if any(float(t) > 1 for t in texts) else 1
    low, high = table.clips or (0, 0)
    stated = low if low and low == high else None
    n = next((stated * m for m in MULTIPLES if _all_fit(texts, stated * m, scale)), None) if stated else None
    possible, possible_up = fitting(texts, scale), fitting(texts, scale, up=True)
    best = None
    if low and not stated:
        best = best_of_range(texts, low, high, scale)
        n = best[1][0] if best[0] == len(texts) else None
    at = n or stated
    fits = {t: fit(t, at, scale) if at else None for t in texts}
    chance = by_chance(texts, at or high or 0, scale)
    return Shares(
        metric, values, scale, n, fits, stated, chance, tuple(possible), tuple(possible_up), (best[0], tuple(best[1])) if best else None
    )  # fmt: skip


def _all_fit(texts: Sequence[str], n: int, scale: int) -> bool:
    """Whether all are counts of `n`, to the nearest digit or rounded up, at an N that not every other value would fit too."""
    fits = [fit(t, n, scale) for t in texts]
    return by_chance(texts, n, scale) < 0.5 and all(f is not None and f.way != "cut" for f in fits)


def _bolds(table: Table, place: int, column: Column, shares: Shares) -> list[Bold]:
    """The values that the file marks bold in this column; the best ones where it marks none anywhere."""
    cells = table.cells(place)
    if shares.n is None or len(cells) < 2:
        return []
    k = {row: f.k for row, cell in cells if (f := shares.fits[cell.text]) is not None}
    sign = 1 if column.better == "higher" else -1
    top = max(sign * v for v in k.values())
    chosen = [row for row, cell in cells if (cell.bold if table.marked else sign * k[row] == top)]
    found = []
    for row in chosen:
        others = [(other, cell.text) for other, cell in cells if other != row]
        tested = against(k[row], [k[other] for other, _ in others], shares.n)
        rivals = tuple(
            Rival(other, text, k[other], sign * (k[row] - k[other]), *p) for (other, text), p in zip(others, tested, strict=True)
        )
        # fewer is better: the clips that are wrong are as many as the others' right ones
        leading = k[row] if sign > 0 else shares.n - k[row]
        printed = next(cell.text for name, cell in cells if name == row)
        found.append(
            Bold(
                column.name, row, printed, k[row], shares.n, rivals, detectable(leading, shares.n), least_paired(shares.n),
                sign * k[row] == top,
            )
        )  # fmt: skip
    return found


def _unlike(table: Table, beside: Iterable[Table]) -> Iterable[Unlike]:
    """Rows of one column, or columns of one metric here and in other tables, that lie a factor of about 100 apart about 1."""
    for place, column in enumerate(table.columns):
        values = [(row, abs(cell.value)) for row, cell in table.cells(place)]
        small, large = [v for v in values if v[1] <= 1], [v for v in values if v[1] > 1]
        if _bounded(column.metric) and small and large and _apart(small, large):
            yield Unlike(column.name, _extent(small), f"{_extent(large)} in the same column ({large[0][0]})")
    for other in beside:
        for metric in dict.fromkeys(c.metric for c in table.columns):
            if not _bounded(metric):
                continue
            here, there = _of(table, metric), _of(other, metric)
            if here and there and (_unit(here) != _unit(there)) and (_apart(here, there) or _apart(there, here)):
                yield Unlike(metric, _extent(here), f"{_extent(there)} in {other.name}")


def _bounded(label: str) -> bool:
    """Whether a metric's fractions cannot exceed 1, so that larger numbers must be 100 times them; metrics unknown to us count as such."""
    ours = known(label)
    return ours is None or ours.range[1] <= 1


def _of(table: Table, metric: str) -> list[tuple[str, float]]:
    return [(r, abs(c.value)) for i, col in enumerate(table.columns) if col.metric == metric for r, c in table.cells(i)]


def _unit(values: list[tuple[str, float]]) -> bool:
    return max(v for _, v in values) <= 1


def _apart(small: list[tuple[str, float]], large: list[tuple[str, float]]) -> bool:
    low = median(v for _, v in small)
    return low > 0 and median(v for _, v in large) / low >= APART


def _extent(values: list[tuple[str, float]]) -> str:
    low, high = min(v for _, v in values), max(v for _, v in values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
