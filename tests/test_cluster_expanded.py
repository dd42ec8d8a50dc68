from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster.reciprocal import expanded, indicator, reciprocal
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def sets_of(matrix):
    return [set(np.flatnonzero(row).tolist()) for row in matrix.toarray()]


def ranks_of(distances, count):
    rows = [oracles.neighbours(distances, i, count) for i in range(len(distances))]
    return np.array(rows, np.int32)


def test_three_images_by_hand():
    # 2 is nearest to 1 and to 0, but 1's nearest is 0.
    neighbours = np.array([[0, 1], [1, 0], [2, 1]], np.int32)
    assert indicator(neighbours).toarray().tolist() == [[1, 1, 0], [1, 1, 0], [0, 1, 1]]
    assert reciprocal(neighbours).toarray().tolist() == [
        *([1, 1, 0], [1, 1, 0], [0, 0, 1])
    ]


def test_no_image():
    assert expanded(np.empty((0, 1), np.int32), 0).shape == (0, 0)


@given(seed=seeds, num=st.integers(2, 14), k1=st.integers(1, 13))
def test_agrees_with_the_definition(seed, num, k1):
    points = np.random.default_rng(seed).integers(0, 30, num)
    distances = np.abs(np.subtract.outer(points, points)).tolist()
    k1 = min(k1, num - 1)
    neighbours = ranks_of(distances, k1 + 1)
    own = [oracles.reciprocal_set(distances, i, k1) for i in range(num)]
    assert sets_of(reciprocal(neighbours)) == own
    more = [oracles.expanded_set(distances, i, k1) for i in range(num)]
    assert sets_of(expanded(neighbours, k1)) == more
