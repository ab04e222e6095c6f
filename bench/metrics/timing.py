"""The synchronization metrics by id: what each takes from a pair of clips as the judge `sync` heard them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bench.metrics import odf, onsets
from bench.metrics.base import Metric, Pair, Valued
from bench.metrics.strength import CURVES

HEARD = ("real.onsets", "made.onsets", "made.extent")


def _at(side) -> np.ndarray:
    return np.asarray(side["onsets"])[:, 0]


def _match(pair: Pair, tolerance: float = onsets.WINDOW_S, *, signed: bool = False) -> onsets.Match:
    """CondFoleyGen's matching, made once per pair and tolerance; `extent` [1, 2] holds samples and peak."""

    def make() -> onsets.Match:
        at, sure, level, signed_sure, signed_level = np.asarray(pair.made["onsets"]).T
        made = onsets.Onsets(at, signed_sure, signed_level) if signed else onsets.Onsets(at, sure, level)
        return onsets.match(_at(pair.real), made, tolerance=tolerance, silent=pair.made["extent"][0, 1] == 0)

    return pair.once(("match", tolerance, signed), make)


def _event(pair: Pair, part: str) -> Valued:
    return pair.once("event", lambda: onsets.event_match(_at(pair.real), _at(pair.made)))[part]


def _count(pair: Pair) -> Valued:
    return onsets.count_match(_at(pair.real), _at(pair.made))


def _syncfusion(of: Callable[[Pair], Valued]) -> Callable[[Pair], Valued]:
    """SyncFusion: 0 for a pair of which one side is empty, else `of`."""
    return lambda p: of(p) if len(p.real["onsets"]) and len(p.made["onsets"]) else (0.0, "ok")


def _pooled(pairs: list[Pair]) -> float:
    found = [_match(p) for p in pairs]
    real = sum(len(m.partner) for m in found)
    return sum(m.hits for m in found) / real if real else float("nan")


def _signed(pair: Pair) -> onsets.Match:
    return _match(pair, 0.3, signed=True)  # MMAudio: one argument sets the peak threshold and the tolerance


ONSET: dict[str, tuple[str, Callable[[Pair], Valued]]] = {
    "onset_acc.condfoley": ("Onset ACC", lambda p: _match(p).recall()),
    "onset_acc.reference": ("Onset ACC (0 where the real clip has none)", lambda p: _match(p).recall(zero_gt="zero")),
    "onset_acc.tol_0.05": ("Onset ACC (50 ms)", lambda p: _match(p, 0.05).recall()),
    "onset_acc.tol_0.3": ("Onset ACC (300 ms)", lambda p: _match(p, 0.3).recall()),
    "onset_acc.mir_eval": ("Onset ACC (mir_eval)", lambda p: _event(p, "recall")),
    "onset_acc.mmaudio": ("Onset ACC (MMAudio)", lambda p: _signed(p).recall()),
    "onset_acc.syncfusion": ("Onset ACC (SyncFusion)", _syncfusion(lambda p: _match(p).recall())),
    "onset_precision.condfoley": ("Onset precision", lambda p: _match(p).precision()),
    "onset_precision.mir_eval": ("Onset precision (mir_eval)", lambda p: _event(p, "precision")),
    "onset_f1.condfoley": ("Onset F1", lambda p: _match(p).f1()),
    "onset_f1.mir_eval": ("Onset F1 (mir_eval)", lambda p: _event(p, "f1")),
    "onset_f1.mmaudio": ("Onset F1 (MMAudio)", lambda p: _signed(p).f1()),
    "onset_ap.detection": ("Onset AP", lambda p: _match(p).ap_detection()),
    "onset_ap.reference": ("Onset AP (CondFoleyGen)", lambda p: _match(p).ap_reference(zero_gt="zero")),
    "onset_ap.mmaudio": ("Onset AP (MMAudio)", lambda p: _signed(p).ap_reference(zero_gt="zero")),
    "onset_ap.syncfusion": ("Onset AP (SyncFusion)", _syncfusion(lambda p: _match(p).ap_reference())),
    "onset_count.condfoley": ("Equal onset counts", _count),
    "onset_count.syncfusion": ("Equal onset counts (SyncFusion)", _syncfusion(_count)),
}

CURVE: dict[str, tuple[str, str, float, Callable[..., Valued]]] = {
    "w_dis": ("W-Dis", "s", np.inf, odf.w_dis),
    "js_div": ("JS-Div", "nats", odf.LN2, odf.js_div),
    "js_smooth50ms": ("JS-Div (50 ms)", "nats", odf.LN2, odf.js_smooth50ms),
    "w1_values": ("W1 of ODF values", "", np.inf, odf.w1_values),
}


def onset_metrics() -> list[Metric]:
    every = [
        Metric(id, label, "Synchronization", "higher", "%", 2, (0, 1), HEARD, "mean", of, column=id == "onset_acc.condfoley")
        for id, (label, of) in ONSET.items()
    ]
    pooled = Metric(
        "onset_acc.pooled", "Onset ACC (pooled)", "Synchronization", "higher", "%", 2, (0, 1), HEARD, "set", _pooled, chance=False
    )
    return [*every, pooled]


def offset_metrics() -> list[Metric]:
    """DeSync of av-benchmark: how far a sound is off its picture; needs no real sound."""

    def of(pair: Pair) -> Valued:
        found = np.abs(np.asarray(pair.made["offset"], np.float64))
        return (float(found.mean()), "ok") if found.size else (np.nan, "undefined")

    bounds, needs = (0, np.inf), ("made.offset",)
    return [Metric("desync.{judge}", "DeSync", "Synchronization", "lower", "s", 3, bounds, needs, "mean", of, ceiling=True)]


def curve_metrics() -> list[Metric]:
    """Each distance on each curve; a judge gives the curves that it was asked for."""
    made = []
    for name, curve in CURVES.items():
        key = f"odf.{name}"
        for id, (label, unit, top, of) in CURVE.items():
            timed = partial(of, rate_hz=curve.rate_hz) if id in ("w_dis", "js_smooth50ms") else of
            made.append(
                Metric(
                    f"{id}.{name}", label, "Synchronization", "lower", unit, 3, (0, top), (f"real.{key}", f"made.{key}"), "mean",
                    lambda p, of=timed, key=key: of(p.real[key], p.made[key]),
                    column=name == "flux_lin" and id in ("w_dis", "js_div"),
                )
            )  # fmt: skip
    return made
