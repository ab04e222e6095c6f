"""What stands below a table: ids and N, gaps with their reasons, ties, runs that are fewer, and whether seeds agree."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.cells import Cells, Column
from bench.report.marks import AGREE, SURE, Order, agreement, p_of, ranked_cells
from bench.report.spec import Form

DASH = "–"
OVER = "over clips, where there are several seeds over these too (FID: over clips alone)"  # what intervals draw again


def below_of(cells: Cells, columns: Sequence[Column], forms: Sequence[Form], order: list[Order]) -> list[str]:
    """Ids and N, gaps with their reasons, ties, and whether seeds agree."""
    spec = cells.spec
    lines = ["Columns: " + "; ".join(f"{c.metric.heading} is {c.id}, N {c.n}" for c in columns if c.n) + "."]
    lines += _gaps(cells, columns, forms)
    lines += [
        f"{row.label}: nothing is predicted, one value for every form." for row in spec.rows if row.merged and row.ranked and
        cells.records(row, forms[0])[0]
    ]  # fmt: skip
    lent: dict[tuple[str, str], list[str]] = {}
    for row in spec.rows:
        for shown, of in row.same.items():
            if any(f.name == shown for f in forms) and cells.records(row, next(f for f in spec.forms if f.name == of))[0]:
                lent.setdefault((shown, of), []).append(row.label)
    lines += [f"{', '.join(rows)}: {shown}: the values of {of}, for the hint is the same." for (shown, of), rows in lent.items()]
    mine = [o for o in order if o.form in forms and o.column in columns]
    if any(o.sure for o in mine):
        lines.append(
            f"Best bold, second underlined, where a test paired by clip tells each from the next (p < {SURE}, Holm over all forms and "
            "metrics; seeds are averaged, not drawn again)."
        )
    for o in mine:
        if not o.sure:
            why = p_of(o.p).removeprefix(", ") or "their per-clip values are lost"
            lines.append(
                f"{o.column.metric.label}, {o.form.name}: {o.best} is not told from {o.second}, so neither is marked ({why})."
            )
        elif not o.second_sure:
            why = p_of(o.p_second).removeprefix(", ") or "their per-clip values are lost"
            lines.append(f"{o.column.metric.label}, {o.form.name}: {o.second}, second, is not told from {o.third} ({why}).")
    return [*lines, *_fewer(cells, columns, forms), *_seeds(cells, columns, forms)]


def _fewer(cells: Cells, columns: Sequence[Column], forms: Sequence[Form]) -> list[str]:
    """A line for each number of runs below the most that any value has: where they are. What is drawn from no seed is left out."""
    runs: dict[int, dict[str, dict[str, list[str]]]] = {}
    for row in cells.spec.rows:
        for form in (f for f in forms if cells.own(row, f)):
            for column in columns:
                cell = cells.cell(row, form, column)
                if cell.runs and any(cell.seeds):
                    runs.setdefault(cell.runs, {}).setdefault(row.label, {}).setdefault(form.name, []).append(column.metric.label)
    lines = []
    for count, places in sorted(runs.items())[:-1]:
        told = "; ".join(f"{row} ({_where(of, columns, forms)})" for row, of in places.items())
        lines.append(f"{count} run{'s' * (count > 1)} behind a value, not {max(runs)}: {told}.")
    return lines


def _gaps(cells: Cells, columns: Sequence[Column], forms: Sequence[Form]) -> list[str]:
    """Each reason for which numbers are missing, or records left out of a mean, and where."""
    missing: dict[str, dict[str, dict[str, list[str]]]] = {}  # reason: row: form: metrics
    for row in cells.spec.rows:
        for form in (f for f in forms if not row.only or f.name in row.only):
            for column in columns:
                cell = cells.cell(row, form, column)
                for why in dict.fromkeys([cell.why] if cell.value is None else cell.left):
                    whose = row.label if column.n or why == "not run" else "every row"
                    found = missing.setdefault(why, {}).setdefault(whose, {}).setdefault(form.name, [])
                    found += [] if column.metric.label in found else [column.metric.label]
    return [
        f"{DASH} {'; '.join(f'{row} ({_where(of, columns, forms)})' for row, of in places.items())}: {why}"
        for why, places in missing.items()
    ]


def _where(of: dict[str, list[str]], columns: Sequence[Column], forms: Sequence[Form]) -> str:
    """`true, predicted: FID, MKL`; what is all of the table is not listed."""
    metrics = list(dict.fromkeys(m for found in of.values() for m in found))
    told = [] if len(of) == len(forms) > 1 else [", ".join(of)]
    told += [] if len(metrics) == len(columns) else [", ".join(metrics)]
    return ": ".join(told) or "every form"


def _seeds(cells: Cells, columns: Sequence[Column], forms: Sequence[Form]) -> list[str]:
    told, rows = {}, cells.spec.rows
    for form in forms:
        for column in columns:
            ranked = ranked_cells(cells, form, column)
            tau = agreement({row.label: ranked[row.label] for row in rows if row.label in ranked and form.name not in row.same})
            if tau is not None:
                told[f"{column.metric.label} {form.name}"] = tau
    if not told:
        return ["One seed, or too few rows: whether seeds agree on the order was not checked."]
    lines = ["Kendall's tau between the seeds' orders (lowest pair): " + ", ".join(f"{k} {v:.2f}" for k, v in told.items()) + "."]
    low = [name for name, tau in told.items() if tau < AGREE]
    return lines + (
        [f"The seeds do not agree on the order (tau < {AGREE}): {', '.join(low)}. Do not read these ranks."] if low else []
    )
