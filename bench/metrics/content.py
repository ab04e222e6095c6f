"""The metrics of quality and meaning by id: what each takes from a pair of clips as a network heard them; "{judge}" is the network's name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.metrics import classes, imagebind, kernel, kl
from bench.metrics.base import Metric, Pair, Valued
from bench.metrics.frechet import frechet


def _logits(side) -> np.ndarray:
    return np.ravel(side["logits"])


def _of_sets(distance) -> Callable[[list[Pair]], float]:
    """Every generated clip against every real one, each real clip once however many samples it has."""

    def of(pairs: list[Pair]) -> float:
        real = {p.clip: np.ravel(p.real["features"]) for p in pairs}
        return distance(np.stack(list(real.values())), np.stack([np.ravel(p.made["features"]) for p in pairs]))

    return of


def kernel_metrics() -> list[Metric]:
    """Beside FID, for few clips: their expectation does not depend on how many there are."""
    needs = ("real.features", "made.features")
    ways = {"kid": ("KID", kernel.kid), "kad": ("KAD", kernel.kad), "fd_inf": ("FD∞", kernel.fd_infinity)}
    return [
        Metric(f"{id}.{{judge}}", label, "Quality", "lower", "", 4, (-np.inf, np.inf), needs, "set", _of_sets(f), chance=False)
        for id, (label, f) in ways.items()
    ]


def fid_metrics() -> list[Metric]:
    needs = ("real.features", "made.features")
    return [
        Metric(
            "fid.{judge}",
            "FID",
            "Quality",
            "lower",
            "",
            2,
            (0, np.inf),
            needs,
            "set",
            _of_sets(frechet),
            column=True,
            chance=False,
        )
    ]


def kl_metrics() -> list[Metric]:
    def one(definition: str) -> Metric:
        default = definition == "softmax_eps"
        id, label = ("mkl.{judge}", "MKL") if default else (f"mkl.{definition}.{{judge}}", f"MKL ({definition})")

        def of(pair: Pair) -> Valued:
            return float(kl.kl(_logits(pair.real), _logits(pair.made), definition)), "ok"

        needs = ("real.logits", "made.logits")
        return Metric(id, label, "Quality", "lower", "nats", 2, (0, np.inf), needs, "mean", of, column=default)

    return [one(definition) for definition in kl.DEFINITIONS]


def class_metrics() -> list[Metric]:
    labelled, both = ("made.logits", "label"), ("real.logits", "made.logits")
    ways = {
        "class_acc.{judge}": ("Class ACC", labelled, lambda p: classes.top1(_logits(p.made), p.label)),
        "class_acc.top5.{judge}": ("Class ACC (top 5)", labelled, lambda p: classes.topk(_logits(p.made), p.label)),
        "class_acc.restricted.{judge}": (
            "Class ACC (classes of the set)", labelled, lambda p: classes.restricted(_logits(p.made), p.label, p.among),
        ),
        "class_acc.agreement.{judge}": ("Class agreement", both, lambda p: classes.agreement(_logits(p.real), _logits(p.made))),
    }  # fmt: skip
    return [
        Metric(
            id,
            label,
            "Quality",
            "higher",
            "%",
            2,
            (0, 1),
            needs,
            "mean",
            of,
            column=label == "Class ACC",
            ceiling="label" in needs,
        )
        for id, (label, needs, of) in ways.items()
    ]


def embedding_metrics() -> list[Metric]:
    def one(id: str, label: str, beside: str, *, ceiling: bool) -> Metric:
        def of(pair: Pair) -> Valued:
            return imagebind.cosine(pair.real[beside], pair.made["audio_embedding"])

        needs = (f"real.{beside}", "made.audio_embedding")
        return Metric(id, label, "Semantic", "higher", "", 3, (-1, 1), needs, "mean", of, column=True, ceiling=ceiling)

    return [
        one("ib_aa.{judge}", "IB-AA", "audio_embedding", ceiling=False),
        one("ib_av.{judge}", "IB-AV", "video_embedding", ceiling=True),
    ]
