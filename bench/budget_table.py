"""A budget as lines of text: of each metric the gap and every part's share of it, then by class."""

from __future__ import annotations

from collections.abc import Iterator

from bench.budget import Budget, Share, metric

BY_CLASS = ("onset_acc", "mkl")  # metrics whose classes are printed; the CSV and the picture have all
WIDE = 18  # columns of a part
SMALL = 0.02  # of a metric's value by true hints: a gap below it is no gap to share out


def lines(found: Budget) -> Iterator[str]:
    """The table of shares; intervals are 95 % over clips."""
    n = max((g.n for g in found.gaps), default=0)
    yield f"Error budget of {found.name}, {n} clips: {len(found.systems)} combinations of true and predicted parts, the same noise"
    yield "Share: mean change when a part is predicted instead of true, over all orders (Shapley); shares add up to the gap."
    wide = max(WIDE, *(len(p) + 2 for p in found.parts))
    yield ""
    yield f"{'metric':13}{'true':>8}{'predicted':>10}{'gap':>8}" + "".join(f"{p:>{wide}}" for p in found.parts)
    for id in found.metrics:
        m, gap = metric(id), found.gap(id)
        if gap is None:
            continue
        shown = [f"{v * m.scale:.{m.digits}f}" for v in (gap.true, gap.predicted)] + [f"{gap.value * m.scale:+.{m.digits}f}"]
        parts = "".join(f"{_share(s, gap.value):>{wide}}" for s in found.of(id))
        yield f"{m.heading:13}{shown[0]:>8}{shown[1]:>10}{shown[2]:>8}{parts}"
        yield " " * 39 + "".join(f"{_interval(s):>{wide}}" for s in found.of(id))
    yield ""
    yield from _worst(found)
    for id in (i for i in found.metrics if i.startswith(BY_CLASS)):
        yield ""
        yield from _classes(found, id)


def _share(s: Share, gap: float) -> str:
    """Value, and the percentage of the gap."""
    m = metric(s.metric)
    return f"{s.value * m.scale:+.{m.digits}f} {_percent(s.value, gap):>5}".rstrip()


def _interval(s: Share) -> str:
    m = metric(s.metric)
    if s.low is None or s.high is None:
        return ""
    return f"{s.low * m.scale:+.{m.digits}f}…{s.high * m.scale:+.{m.digits}f}"


def _percent(share: float, gap: float) -> str:
    return f"{share / gap:.0%}" if gap else ""


def _worst(found: Budget) -> Iterator[str]:
    """Which part costs most in each metric whose gap is worth the name."""
    for id in found.metrics:
        m, gap = metric(id), found.gap(id)
        sign = -1 if m.better == "higher" else 1
        if gap is None or sign * gap.value <= SMALL * abs(gap.true):
            yield f"{m.label}: no gap to speak of"
            continue
        most = max(found.of(id), key=lambda s: sign * s.value)
        sure = most.low is not None and most.high is not None and (most.low > 0 or most.high < 0)
        yield f"{m.label}: {most.part} costs most, {_percent(most.value, gap.value)} of the gap" + (
            "" if sure else " (its interval holds 0)"
        )


def _classes(found: Budget, id: str) -> Iterator[str]:
    m = metric(id)
    wide = max((len(label) for label in found.labels), default=5)
    yield f"{m.heading} by class"
    yield f"{'class':{wide}}  {'clips':>5} {'true':>8} {'gap':>8}" + "".join(f" {p:>10}" for p in found.parts)
    for label in found.labels:
        gap = found.gap(id, label)
        if gap is None:
            continue
        values = [f"{v * m.scale:.{m.digits}f}" for v in (gap.true,)] + [
            f"{v * m.scale:+.{m.digits}f}" for v in (gap.value, *(s.value for s in found.of(id, label)))
        ]
        yield f"{label:{wide}}  {gap.n:>5} {values[0]:>8} {values[1]:>8}" + "".join(f" {v:>10}" for v in values[2:])
