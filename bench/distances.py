"""`bench fid`: what stands behind the FID of a record, from the features that its judges kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.bundle.pack import called, inputs
from bench.errors import Refused
from bench.metrics.distances import Floor, at_half, split_half
from bench.metrics.frechet import frechet
from bench.metrics.kernel import fd_infinity, kid
from bench.stats import Interval, blocks, jackknife_interval, replicates


@dataclass(frozen=True)
class Behind:
    """One judge's distances between `n` real and generated clips of `width` features."""

    judge: str
    n: int
    width: int
    fid: float
    fid_interval: Interval
    means: float  # the part of `fid` that is the squared distance of the mean features; the rest is that of their spreads
    floor: Floor
    half: float
    infinity: float
    kid: float
    kid_interval: Interval


def measured(told: Mapping[str, Any], find: Callable[[str], Path]) -> list[Behind]:
    """Of every judge of the record that gives features; Refused where they are not at hand."""
    from bench.listened import open_all
    from bench.stages.score import read_pairs

    found, why = inputs(told, find)
    if found is None:
        raise Refused(f"record {told['id']}: {why}; run it again, or look into a bundle")
    heard, real, rows = open_all(found.heard), open_all(found.real), read_pairs(found.pairs)
    behind = []
    for name, side in heard.items():
        if "features" not in side.arrays or name not in real:
            continue
        first = {row.clip: row for row in reversed(rows)}.values()  # the first sample of each clip: one made for each real one
        pairs = [(real[name].of(r.key, r.clip)["features"], side.of(r.key, r.key)["features"]) for r in first]
        whole = [(np.ravel(a), np.ravel(b)) for a, b in pairs if len(a) and len(b)]
        if len(whole) < 8:
            raise Refused(f"record {told['id']}: {len(whole)} clips with features of {name}; 8 are needed")
        behind.append(_behind(name, *(np.stack(s).astype(np.float64) for s in zip(*whole, strict=True))))
    return behind


def _behind(judge: str, real: np.ndarray, made: np.ndarray) -> Behind:
    n = len(real)
    left = blocks(n)

    def around(value: float, of: Callable[[np.ndarray, np.ndarray], float]) -> Interval:
        return jackknife_interval(value, replicates(lambda kept: of(real[kept], made[kept]), n, left))

    fid, mmd = frechet(real, made), kid(real, made)
    means = float(((real.mean(0) - made.mean(0)) ** 2).sum())
    return Behind(
        judge, n, real.shape[1], fid, around(fid, frechet), means, split_half(real), at_half(real, made), fd_infinity(real, made),
        mmd, around(mmd, kid),
    )  # fmt: skip


def lines(told: Mapping[str, Any], found: list[Behind]) -> Iterator[str]:
    """What `bench fid` prints of one record."""
    yield f"{told['id']}  {called(told)}"
    if not found:
        yield "  no judge of it gives features"
    for b in found:
        small = "  (N is not larger than the features are wide: every FID here is mostly bias)" if b.n <= b.width else ""
        yield f"  fid.{b.judge}  {b.fid:.2f}{_ends(b.fid_interval, 2)}  N = {b.n}, {b.width} features{small}"
        yield f"    of it {b.means:.2f} between the means of the features, {b.fid - b.means:.2f} between their spreads"
        yield f"    between halves of the real clips: {b.floor.value:.2f} ({b.floor.low:.2f} to {b.floor.high:.2f}), N = {b.floor.n}: the floor"
        yield f"    real half against generated other half: {b.half:.2f}, N = {b.floor.n}"
        yield f"    FD-infinity: {f'{b.infinity:.2f}' if np.isfinite(b.infinity) else 'too few clips'}"
        yield f"    KID: {b.kid:.4g}{_ends(b.kid_interval, 4)}"


def _ends(interval: Interval, digits: int) -> str:
    return "" if interval is None else f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
