"""The lag between two sounds' onset strength curves."""

import numpy as np
import pytest

from bench.lag import lag

RATE = 43.0


@pytest.fixture
def curve():
    rng = np.random.default_rng(7)
    found = np.zeros(110)
    found[rng.choice(90, 6, replace=False)] = rng.uniform(1, 9, 6)
    return found


@pytest.mark.parametrize("frames", [-9, 0, 4, 9])
def test_a_curve_that_was_moved_is_found_where_it_was_moved_to(curve, frames):
    moved = np.roll(curve, frames)
    moved[slice(frames) if frames > 0 else slice(len(curve) + frames, None)] = 0  # silence where nothing was moved to
    assert lag(curve, moved, rate_hz=RATE) == pytest.approx(frames / RATE)


def test_noise_upon_it_does_not_hide_it(curve):
    moved = np.roll(curve, 9) + np.random.default_rng(8).uniform(0, 1, len(curve))
    assert lag(curve, moved, rate_hz=RATE) == pytest.approx(9 / RATE)


def test_a_flat_curve_has_no_lag(curve):
    assert np.isnan(lag(curve, np.ones(len(curve)), rate_hz=RATE))


def test_unlike_lengths_are_cut_to_the_shorter(curve):
    assert lag(curve, curve[:80], rate_hz=RATE) == 0
