"""Hints made wrong on purpose, and what is said of a sound that does not follow its hint."""

import numpy as np
import pytest

from bench.response import TIMING, Response, shown
from bench.scoring import Comparison, System
from bench.stages.distort import distorted
from bench.stats import Difference

SLOTS = np.arange(6.0)[:, None]
FILL = np.array([-1.0])


def test_a_shuffled_hint_is_another_clips_filled_up_with_silence():
    other = 10 + np.arange(4.0)[:, None]
    assert distorted(SLOTS, other, FILL, "shuffled", 2).ravel().tolist() == [10, 11, 12, 13, -1, -1]


def test_a_shifted_hint_is_its_own_later():
    assert distorted(SLOTS, SLOTS, FILL, "shifted", 2).ravel().tolist() == [-1, -1, 0, 1, 2, 3]
    assert distorted(SLOTS, SLOTS, FILL, "shifted", 9).ravel().tolist() == [-1] * 6


def test_a_zeroed_hint_is_silence():
    assert distorted(SLOTS, SLOTS, FILL, "zeroed", 2).ravel().tolist() == [-1] * 6


@pytest.mark.parametrize(
    ("moved", "deaf"), [((), ["shuffled", "shifted"]), (("shuffled",), ["shifted"]), (("shuffled", "shifted"), [])]
)
def test_hints_that_change_nothing_are_named(moved, deaf):
    found = [
        Comparison("true", way, "w_dis.flux_lin", Difference(-0.1, None, None, None, 40), 0.001 if way in moved else 0.9)
        for way in ("shuffled", "shifted", "zeroed")
    ]
    assert Response([], found).deaf() == deaf


def test_a_difference_in_quality_alone_is_no_response_in_time():
    found = [Comparison("true", way, "fid.lab", Difference(-3.0, None, None, None, 40), 0.001) for way in ("shuffled", "shifted")]
    assert Response([], found).deaf() == ["shuffled", "shifted"]


def test_another_clips_hint_may_change_what_sounds_and_leave_the_time_alone():
    found = [Comparison("true", way, "mkl.lab", Difference(-0.9, None, None, None, 40), 0.001) for way in ("shuffled", "shifted")]
    assert Response([], found).deaf() == ["shifted"]


@pytest.mark.parametrize(("value", "wanted"), [(0.4, [*TIMING, "mkl.lab"]), (None, [*TIMING])])
def test_content_is_read_where_a_judge_of_classes_heard_every_system(value, wanted, tmp_path):
    scores = [{id: {"value": 0.5} for id in TIMING} | {"mkl.lab": {"value": v}} for v in (0.4, value)]
    assert list(shown([System(name, s, tmp_path) for name, s in zip(("true", "shuffled"), scores, strict=True)])) == wanted
