from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster.nearest import nearest
from crosscam.cluster.reciprocal import expanded_sets, expanded_vectors
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def between_points(points):
    return np.abs(np.subtract.outer(points, points)).astype(np.float32)


def sets_of(distances, k1):
    near = nearest(distances, k1 + 1)
    owner, member = expanded_sets(near, near[:, : round(k1 / 2) + 1])
    assert np.array_equal(owner, np.sort(owner))
    return [set(member[owner == i].tolist()) for i in range(len(distances))]


def test_an_image_that_nobody_has_is_alone():
    # 2 has 1 as its nearest, 1 has 0.
    assert sets_of(between_points([0, 1, 3]), 1) == [{0, 1}, {0, 1}, {2}]


def test_a_set_takes_in_what_most_of_it_has():
    # Of R(5, 3) = {4, 5, 6, 7} three lie in R(1, 6), which 7 does not.
    distances = between_points([0, 1, 3, 16, 17, 22, 23, 25])
    assert oracles.reciprocal_set(distances.tolist(), 1, 6) == set(range(7))
    assert sets_of(distances, 6)[1] == set(range(8))


NEAR = np.array([[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1]])  # R(0) = {0, 1, 2}


@pytest.mark.parametrize(
    ("half", "expected"),
    [
        # R(1, k1/2) = {0, 1, 3}: two thirds of it are not more than two thirds.
        ([[0, 1, 2], [1, 0, 3], [2, 0, 1], [3, 1, 0]], [0, 1, 2]),
        ([[0, 1, 2, 3], [1, 0, 2, 3], [2, 0, 1, 3], [3, 0, 1, 2]], [0, 1, 2, 3]),
    ],
)
def test_two_thirds_are_not_enough(half, expected):
    owner, member = expanded_sets(NEAR, np.array(half))
    assert sorted(member[owner == 0].tolist()) == expected
    assert member[owner == 3].tolist() == [3]


@given(seed=seeds, num=st.integers(2, 20), k1=st.integers(1, 14))
def test_sets_agree_with_the_definition(seed, num, k1):
    points = np.random.default_rng(seed).integers(0, 9, (num, 2))
    distances = np.abs(points[:, None] - points[None]).sum(axis=2).astype(np.float32)
    k1 = min(k1, num - 1)
    expected = [oracles.expanded_set(distances.tolist(), i, k1) for i in range(num)]
    assert sets_of(distances, k1) == expected


def test_vectors_of_the_nearest_are_added_up():
    # V = (1, 1/e) over its sum, and (0, 1).
    pairs = np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0, 1, 0], np.float32)
    first = 1 / (1 + math.exp(-1))
    alone = expanded_vectors(*pairs, np.array([[0], [1]]))
    assert alone.toarray() == pytest.approx(np.array([[first, 1 - first], [0, 1]]))
    both = expanded_vectors(*pairs, np.array([[0, 1], [1, 0]]))
    assert both.toarray() == pytest.approx(np.array([[first, 2 - first]] * 2))
    assert both.dtype == np.float32
