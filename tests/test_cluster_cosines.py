from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster.cosines import pair_cosines
from crosscam.kernel import set_threads

seeds = st.integers(0, 2**32 - 1)


def cosines(features, images, rows):
    starts = np.cumsum([0, *map(len, rows)])
    others = np.array([j for row in rows for j in row], np.int32)
    result = np.full(len(others), np.nan)
    pair_cosines(features, np.array(images, np.int64), starts, others, result)
    return result


def test_by_hand():
    features = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0], [0, -1]], np.float32)
    found = cosines(features, [2, 0], [[0, 1, 2, 3, 4], [3]])
    assert found.tolist() == pytest.approx([0.6, 0.8, 1, -0.6, -0.8, -1])


def test_no_pair():
    features = np.ones((2, 1), np.float32)
    assert cosines(features, [], []).shape == (0,)
    assert cosines(features, [0, 1], [[], []]).shape == (0,)


@given(seed=seeds, num=st.integers(1, 9), dim=st.integers(1, 40))
def test_sums_are_double_and_in_order(seed, num, dim):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((num, dim), np.float32)
    images = rng.integers(0, num, 3)
    rows = [rng.integers(0, num, rng.integers(0, 12)) for _ in images]
    expected = []
    for i, row in zip(images, rows, strict=True):
        for j in row:
            total = 0.0
            for x, y in zip(features[i].tolist(), features[j].tolist(), strict=True):
                total += x * y
            expected.append(total)
    assert cosines(features, images, rows).tolist() == expected


def test_copies_and_directions_are_equal_on_any_number_of_threads():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((40, 7), np.float32)
    features[7] = features[3]
    everyone = [range(40)] * 40
    set_threads(2)
    found = cosines(features, range(40), everyone).reshape(40, 40)
    set_threads(1)
    assert np.array_equal(found.ravel(), cosines(features, range(40), everyone))
    assert np.array_equal(found, found.T)
    assert np.array_equal(found[7], found[3])
    assert math.isclose(found[3, 7], found[3, 3])
