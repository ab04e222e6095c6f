"""The Fréchet distance of 1100 features of 2048 dimensions: ours against scipy.linalg.sqrtm of the covariances' product.

    OMP_NUM_THREADS=1 .venv/bin/python tests/benchmarks/frechet.py

Takes about a minute, nearly all of it sqrtm. Prints CPU seconds, their ratio and the two distances.
"""

import time

import numpy as np
from scipy.linalg import sqrtm

from bench.metrics.frechet import frechet

N, D = 1100, 2048


def reference(x, y):
    """The usual way (pytorch-fid and its descendants)."""
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = sqrtm(s @ t)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * np.trace(root).real)


def timed(distance, x, y, rounds):
    best, value = np.inf, np.nan
    for _ in range(rounds):
        began = time.process_time()
        value = distance(x, y)
        best = min(best, time.process_time() - began)
    return best, value


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    scale = 1 / np.sqrt(1 + np.arange(D))  # a falling spectrum, as features have
    x, y = rng.normal(size=(N, D)) * scale, rng.normal(0.02, 1.1, size=(N, D)) * scale
    mine, value = timed(frechet, x, y, 5)
    theirs, expected = timed(reference, x, y, 1)
    print(f"N={N}, D={D}: ours {mine:.2f} s, sqrtm {theirs:.2f} s, ratio {theirs / mine:.1f}")
    print(f"distances {value:.9f} and {expected:.9f}, {abs(value / expected - 1):.1e} apart")
