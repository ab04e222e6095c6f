"""How far the classes heard in a generated clip are from those heard in the real one: Kullback-Leibler divergence of a classifier's outputs.

Conventions
    truth, made: logits [..., C] of the real and of the generated clip, the same classifier, pair by pair; computed in float64.
    Values in nats, one per pair; lower is better; 0 when the classifier hears the same. MKL is their mean over clips.
Definitions
    softmax_eps      KL(truth || made) of softmaxes, 1e-6 added to made's probability inside the logarithm and nowhere else (SpecVQGAN,
                     audioldm_eval, audiocraft): the default. At most 13.8 and, because of the epsilon, at least -C * 1e-6.
    softmax_noeps    the same without the epsilon (av-benchmark, torchmetrics): no upper bound, much larger where the classifier is sure.
    reversed         KL(made || truth), no epsilon.
    both             softmax_eps in both directions, added (audiocraft's kld_both).
    sigmoid_posonly  sum of p log(p / (q + 1e-6)) of sigmoids (audioldm_eval's "sigmoid"): half a divergence, can be negative.
    sigmoid_posonly_noeps  the same without the epsilon (av-benchmark).
    bernoulli        KL of C independent yes/no questions, both halves.
Source: metrics.md 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

EPS = 1e-6  # inside the logarithm of the generated side's probability


def kl(truth: ArrayLike, made: ArrayLike, definition: str = "softmax_eps") -> NDArray:
    """Divergence in nats of every pair: [...] from logits [..., C].

    Raises ValueError for an unknown definition, unlike shapes, fewer than two classes, or logits that are not finite.
    """
    p, q = np.asarray(truth, np.float64), np.asarray(made, np.float64)
    if definition not in DEFINITIONS:
        raise ValueError(f"no divergence {definition!r}; known: {', '.join(DEFINITIONS)}")
    if p.shape != q.shape or p.ndim < 1 or p.shape[-1] < 2:
        raise ValueError(f"logits must be pairs over two or more classes, got shapes {p.shape} and {q.shape}")
    for name, logits in (("real", p), ("generated", q)):
        if not np.isfinite(logits).all():
            raise ValueError(f"the logits of the {name} side hold values that are not finite")
    return DEFINITIONS[definition](p, q)


def _log_softmax(x: NDArray) -> NDArray:
    return x - np.logaddexp.reduce(x, axis=-1, keepdims=True)


def _log_sigmoid(x: NDArray) -> NDArray:
    return -np.logaddexp(0, -x)


def _softmax_eps(p: NDArray, q: NDArray) -> NDArray:
    log_p = _log_softmax(p)
    return (np.exp(log_p) * (log_p - np.log(np.exp(_log_softmax(q)) + EPS))).sum(-1)


def _softmax(p: NDArray, q: NDArray) -> NDArray:
    log_p = _log_softmax(p)
    return (np.exp(log_p) * (log_p - _log_softmax(q))).sum(-1)


def _sigmoid_half(p: NDArray, q: NDArray, eps: float = 0.0) -> NDArray:
    log_p, log_q = _log_sigmoid(p), _log_sigmoid(q)
    return (np.exp(log_p) * (log_p - (np.log(np.exp(log_q) + eps) if eps else log_q))).sum(-1)


DEFINITIONS = {
    "softmax_eps": _softmax_eps,
    "softmax_noeps": _softmax,
    "reversed": lambda p, q: _softmax(q, p),
    "both": lambda p, q: _softmax_eps(p, q) + _softmax_eps(q, p),
    "sigmoid_posonly": lambda p, q: _sigmoid_half(p, q, EPS),
    "sigmoid_posonly_noeps": _sigmoid_half,
    "bernoulli": lambda p, q: _sigmoid_half(p, q) + _sigmoid_half(-p, -q),
}
