import pytest

from bench.closing import share


def test_halfway_is_half_of_the_way():
    floor, ceiling = {str(i): i % 3 / 10 for i in range(60)}, {str(i): 1.0 for i in range(60)}
    made = {c: (floor[c] + ceiling[c]) / 2 for c in floor}
    found = share(floor, made, ceiling)
    assert found is not None and found.value == pytest.approx(0.5) and found.low == pytest.approx(0.5) and found.n == 60


def test_floor_and_ceiling_are_nothing_and_all():
    floor, ceiling = {str(i): i % 3 / 10 for i in range(60)}, {str(i): 1 - i % 2 / 10 for i in range(60)}
    assert share(floor, floor, ceiling).value == 0
    assert share(floor, ceiling, ceiling).value == 1


def test_a_ceiling_that_cannot_be_told_from_the_floor_leaves_no_way_to_go():
    floor = {str(i): i % 2 for i in range(20)}
    ceiling = {str(i): (i + 1) % 2 + (i == 0) * 0.5 for i in range(20)}
    assert share(floor, floor, ceiling) is None
    assert share({}, {}, {}) is None


def test_a_clip_without_a_value_on_one_side_is_left_out_of_all():
    floor, ceiling = {"a": 0.0, "b": 0.0, "c": 0.5}, {"a": 1.0, "b": 1.0, "c": 1.0}
    assert share(floor, {"a": 1.0, "b": 1.0, "c": float("nan")}, ceiling).n == 2
