from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster.nearest import nearest, nearest_and_largest
from crosscam.kernel import set_threads
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def between_points(points):
    return np.abs(np.subtract.outer(points, points)).astype(np.float32)


def test_neighbours_of_copies_are_the_lowest_indices():
    copies = np.zeros((4, 4), np.float32)
    expected = [[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1]]
    assert nearest(copies, 3).tolist() == expected


def test_an_image_comes_before_its_copies():
    distances = between_points([7, 3, 3, 3])
    assert nearest(distances, 2).tolist() == [[0, 1], [1, 2], [2, 1], [3, 1]]


def test_no_images():
    neighbours, largest = nearest_and_largest(np.empty((0, 0), np.float32), 3)
    assert neighbours.shape == (0, 3)
    assert largest.shape == (0,)


def test_of_one_image():
    neighbours, largest = nearest_and_largest(np.zeros((1, 1), np.float32), 1)
    assert neighbours.tolist() == [[0]]
    assert largest.tolist() == [0]


@given(seed=seeds, num=st.integers(1, 100), spread=st.sampled_from([1, 4, 1000]))
def test_agrees_with_a_sort(seed, num, spread):
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, spread, (num, num)).astype(np.float32) / 8
    count = int(rng.integers(1, num + 1))
    before = distances.copy()
    rows = distances.tolist()
    expected = [oracles.neighbours(rows, i, count) for i in range(num)]
    neighbours, largest = nearest_and_largest(distances, count)
    assert neighbours.tolist() == expected
    assert largest.tolist() == [max(row) for row in rows]
    assert np.array_equal(nearest(distances, count), neighbours)
    assert np.array_equal(distances, before)


def test_every_image_is_nearer_than_those_before():
    # All are kept for a time.
    falling = np.tile(np.arange(200, 0, -1, np.float32), (200, 1))
    expected = [[i, *[j for j in range(199, -1, -1) if j != i][:5]] for i in range(200)]
    assert nearest(falling, 6).tolist() == expected


@given(seed=seeds, num=st.integers(1, 40), start=st.integers(0, 40))
def test_rows_may_be_taken_apart(seed, num, start):
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 9, (num, num)).astype(np.float32)
    whole = nearest_and_largest(distances, min(num, 5))
    part = nearest_and_largest(distances[start:], min(num, 5), first=start)
    for all_rows, rows in zip(whole, part, strict=True):
        assert np.array_equal(all_rows[start:], rows)


def test_infinite_distances_come_last():
    distances = between_points(np.arange(100))
    distances[:, :60] = np.inf
    expected = [[80, 79, 81], [50, 60, 61]]
    assert nearest(distances, 3)[[80, 50]].tolist() == expected
    alone = np.full((40, 40), np.inf, np.float32)
    assert nearest(alone, 3)[[0, 1, 39]].tolist() == [[0, 1, 2], [1, 0, 2], [39, 0, 1]]


def test_neighbours_are_images_even_if_distances_are_no_numbers():
    for num in (3, 100):
        none = np.full((num, num), np.nan, np.float32)
        assert all(len({*row} & {*range(num)}) == 3 for row in nearest(none, 3))


@pytest.mark.parametrize("count", [0, 6])
def test_more_neighbours_than_images(count):
    with pytest.raises(
        ValueError, match=f"^num_neighbours: must be from 1 to 5, got {count}$"
    ):
        nearest(np.zeros((5, 5), np.float32), count)


def test_rows_in_any_layout():
    distances = np.random.default_rng(0).random((50, 50), np.float32)
    expected = nearest(distances.T.copy(), 7)
    assert np.array_equal(nearest(distances.T, 7), expected)
    assert np.array_equal(nearest(distances.T.astype(np.float64), 7), expected)


def test_threads_change_nothing():
    distances = np.random.default_rng(1).integers(0, 50, (300, 300)).astype(np.float32)
    before = numba.get_num_threads()
    try:
        set_threads(1)
        one = nearest_and_largest(distances, 21)
        set_threads(2)
        two = nearest_and_largest(distances, 21)
    finally:
        numba.set_num_threads(before)
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])
