"""An audit as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.audit.counts import SURE, by_chance
from bench.audit.findings import Audit, Bold, Shares

SHOWN = 6  # values of N that are named
VERDICTS = {
    "survives": "survives: every other row is worse at p < 0.05 after Holm's correction",
    "cannot": "does not survive",
    "open": "open: unpaired counts do not separate it, results per clip might",
}


def lines(found: Audit) -> Iterator[str]:
    """The audit of one table, line by line."""
    table = found.table
    yield table.title
    if table.source:
        yield f"Source: {table.source}"
    if table.about:
        yield table.about
    yield f"Clips: {_clips(found)}"
    for shares in found.shares:
        yield ""
        yield from _shares(shares, table.clips)
    for bold in found.bolds:
        yield ""
        yield from _bold(bold, marked=table.marked)
    if found.untested:
        yield ""
        yield f"Not testable from print (no counts): the bolds of {', '.join(found.untested)}."
    if found.unlike:
        yield ""
    for one in found.unlike:
        yield f"UNLIKE SCALE  {one.metric}: {one.here} here, {one.there}: fractions and 100 times them do not compare."


def _clips(found: Audit) -> str:
    low, high = found.table.clips or (0, 0)
    if not low:
        return "not told (--clips N tests one)"
    return f"{low}" if low == high else f"{low} to {high}"


def _shares(s: Shares, clips: tuple[int, int] | None) -> Iterator[str]:
    total = len(s.values)
    if s.best:
        low, high = clips or (0, 0)
        most, where = s.best
        yield f"{s.metric}: no N from {low} to {high} fits more than {most} of {total} values as k/N ({_some(where)})"
        chance = by_chance([t for _, _, t in s.values], high, s.scale)
        yield f"  by chance a value that is no count fits N = {high} with probability {chance:.0%}"
    elif s.counted:
        times = "" if s.n == s.stated else f" = {(s.n or 0) // (s.stated or 1)} x {s.stated}"
        yield f"{s.metric}: {total} of {total} values are k/{s.n}{times}"
        chance = by_chance([t for _, _, t in s.values], s.n or 0, s.scale)
        yield f"  by chance a value that is no count fits with probability {chance:.1%}"
        if s.n != s.stated:
            odd = list(dict.fromkeys(s.outside))
            yield f"  no k/{s.stated}: {', '.join(odd)}; several samples of a clip, or more clips than {s.stated}"
            yield "  samples of one clip are not independent: the p-values below are then too small"
        for text, k in s.rounded_up:
            exact = s.scale * k / (s.n or 1)
            yield f"  {text} is {k}/{s.n} = {exact:.4f} only if it was rounded up"
    elif s.stated:
        fits = [t for _, _, t in s.values if s.fits[t] is not None and s.fits[t].way != "cut"]  # type: ignore[union-attr]
        yield f"{s.metric}: {len(fits)} of {total} values are k/{s.stated} ({s.chance * total:.1f} expected by chance): not a count of clips"
    else:
        yield f"{s.metric}: {total} values"
    if s.possible:
        yield f"  N for which all {total} are k/N to the nearest digit: {_some(s.possible)}"
    elif s.possible_up:
        yield f"  N for which all {total} are k/N to the nearest digit: none; if some were rounded up: {_some(s.possible_up)}"
    else:
        yield f"  no N fits all {total}, up to where some N would fit by luck"


def _bold(b: Bold, *, marked: bool) -> Iterator[str]:
    why = "" if marked else " (best of its column; the file marks none)"
    yield f"{b.column}: bold {b.printed} = {b.k}/{b.n}, {b.row}{why}: {VERDICTS[b.verdict]}"
    if not b.best:
        yield "  it is not the best of its column"
    width = max(len(r.row) for r in b.rivals)
    for r in sorted(b.rivals, key=lambda r: r.behind):
        note = "" if r.p_holm < SURE else "  not told apart"
        if b.paired is not None and r.behind < b.paired:
            note = f"  {r.behind} clips: too few for any test, paired or not" if r.behind else "  equal"
        yield f"  {r.row:{width}}  {r.printed:>6} = {r.k}/{b.n}  p = {r.p:.3f}, Holm {r.p_holm:.3f}{note}"
    if b.detectable:
        yield f"  smallest detectable difference: {b.detectable} clips ({_points(b.detectable, b.n)}) unpaired (Fisher, p < {SURE})"
    if b.paired:
        yield f"  and {b.paired} clips ({_points(b.paired, b.n)}) paired by clip, if the better row loses none of them"


def _points(clips: int, n: int) -> str:
    return f"{100 * clips / n:.2f} points"


def _some(values: Sequence[int]) -> str:
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return f"N = {', '.join(map(str, values[:SHOWN]))}{more}"
