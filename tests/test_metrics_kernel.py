"""KID, KAD and FD-infinity: closed forms, the plain double sum, and what they are for: the number of clips does not move them."""

import numpy as np
import pytest

from bench.metrics import METRICS
from bench.metrics.base import Pair
from bench.metrics.frechet import frechet
from bench.metrics.kernel import fd_infinity, kad, kid


def plainly(x, y, k):
    """The definition, clip by clip."""
    within = [np.mean([k(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j]) for s in (x, y)]
    return sum(within) - 2 * np.mean([k(a, b) for a in x for b in y])


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 5)), rng.normal(size=(9, 5)) + 0.5


def test_kid_is_its_definition(sets):
    assert kid(*sets) == pytest.approx(plainly(*sets, lambda a, b: (a @ b / 5 + 1) ** 3), rel=1e-12)


def test_kad_is_its_definition(sets):
    x, _ = sets
    width = np.median([((a - b) ** 2).sum() for i, a in enumerate(x) for b in x[:i]])
    assert kad(*sets) == pytest.approx(plainly(*sets, lambda a, b: np.exp(-((a - b) ** 2).sum() / (2 * width))), rel=1e-9)


@pytest.mark.parametrize("distance", [kid, kad])
def test_two_halves_of_one_set_are_at_zero_whatever_their_size(distance):
    rng = np.random.default_rng(1)
    for n in (10, 200):
        found = [distance(rng.normal(size=(n, 16)), rng.normal(size=(n, 16))) for _ in range(30)]
        assert abs(np.mean(found)) < 4 * np.std(found) / 30**0.5  # four standard errors
    far = distance(rng.normal(size=(50, 16)), rng.normal(size=(50, 16)) + 1)
    assert far > 10 * np.std(found)


def test_fd_infinity_takes_the_bias_of_few_clips_away():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(20_000, 16)), rng.normal(size=(400, 16))
    assert frechet(x, y) > 0.2
    assert abs(fd_infinity(x, y)) < 0.25 * frechet(x, y)
    assert np.isnan(fd_infinity(x, y[:10]))


def test_sets_that_do_not_compare_are_refused(sets):
    x, y = sets
    for distance in (kid, kad, fd_infinity):
        with pytest.raises(ValueError, match="do not compare"):
            distance(x, y[:, :4])


def test_a_set_without_width_has_no_kad():
    assert np.isnan(kad(np.zeros((4, 3)), np.ones((4, 3))))


def test_each_has_an_id_of_its_own_and_counts_a_real_clip_once(sets):
    x, y = sets
    pairs = [Pair(f"c{i % 6}", {"features": x[i % 6]}, {"features": y[i]}, sample=i // 6) for i in range(9)]
    for id, distance in (("kid", kid), ("kad", kad), ("fid", frechet)):
        assert METRICS[f"{id}.{{judge}}"].of(pairs) == pytest.approx(distance(x[:6], y))
    assert not METRICS["kid.{judge}"].column and METRICS["fid.{judge}"].column
