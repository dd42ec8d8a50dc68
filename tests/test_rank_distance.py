from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.rank.distance import BLOCK_SIZE, GRID, cosine_distances


def unit_rows(rng, shape):
    rows = rng.standard_normal(shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_same_right_angle_opposite():
    query = np.array([[1, 0]], np.float32)
    gallery = np.array([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]], np.float32)
    distances = cosine_distances(query, gallery)
    assert distances[0, :3].tolist() == [0, 1, 2]
    assert distances[0, 3] == pytest.approx(0.4, abs=GRID)


def test_is_half_the_squared_euclidean_distance():
    rng = np.random.default_rng(0)
    query, gallery = unit_rows(rng, (4, 32)), unit_rows(rng, (9, 32))
    difference = query[:, None].astype(np.float64) - gallery
    expected = (difference**2).sum(axis=2) / 2
    assert cosine_distances(query, gallery) == pytest.approx(expected, abs=3e-7)


@pytest.mark.parametrize("num_query", [1, 2, 3, 5, 17])
def test_identical_images_are_at_identical_distances(num_query):
    # Float32 products of one query with this gallery come out at two values.
    row = unit_rows(np.random.default_rng(0), (1, 1280))
    gallery = np.repeat(row, BLOCK_SIZE + 5, axis=0)
    assert np.unique(cosine_distances(gallery[:num_query], gallery)).size == 1


@given(seed=st.integers(0, 2**32 - 1), start=st.integers(0, 19))
def test_a_row_does_not_depend_on_the_other_rows(seed, start):
    rng = np.random.default_rng(seed)
    query, gallery = unit_rows(rng, (20, 65)), unit_rows(rng, (31, 65))
    whole = cosine_distances(query, gallery)
    part = cosine_distances(query[start : start + 3], gallery)
    assert np.array_equal(part, whole[start : start + 3])


def test_nothing_to_compare():
    empty = np.empty((0, 4), np.float32)
    assert cosine_distances(empty, empty).shape == (0, 0)
