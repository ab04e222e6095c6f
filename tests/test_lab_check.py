import numpy as np

from bench.lab.check import Measured, auc


def test_a_pair_that_tells_every_clip_apart_has_auc_1():
    eye = np.eye(6)
    assert auc(eye * 3, eye, list("aabbcc")) == (1.0, 1.0)


def test_a_pair_that_knows_only_the_class_is_at_chance_within_it():
    classes = np.repeat(np.eye(3), 2, axis=0)
    assert auc(classes, classes, list("aabbcc")) == (1.0, 0.5)


def test_a_measure_knows_which_way_its_bound_points():
    assert Measured("x", 0.96, 0.95).fine
    assert not Measured("x", 0.2, 0.15, at_least=False).fine
