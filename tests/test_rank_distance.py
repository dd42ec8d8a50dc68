from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.rank.distance import cosine_distances, pair_distances, product_error
from crosscam.rank.kernels import BLOCK, GRID
from tests.oracles import grid_distance


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
    gallery = np.repeat(row, BLOCK + 5, axis=0)
    assert np.unique(cosine_distances(gallery[:num_query], gallery)).size == 1


@given(seed=st.integers(0, 2**32 - 1), start=st.integers(0, 19))
def test_a_row_does_not_depend_on_the_other_rows(seed, start):
    rng = np.random.default_rng(seed)
    query, gallery = unit_rows(rng, (20, 65)), unit_rows(rng, (31, 65))
    whole = cosine_distances(query, gallery)
    part = cosine_distances(query[start : start + 3], gallery)
    assert np.array_equal(part, whole[start : start + 3])


@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.sampled_from([1, 2, 31, 32, 33, 65, 768]),
    spread=st.sampled_from([0.0, 1e-6, 1e-3, 1.0]),
)
def test_agrees_with_exact_sums(seed, dim, spread):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal(dim) + spread * rng.standard_normal((5, dim))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    expected = [[grid_distance(x, y) for y in rows.tolist()] for x in rows.tolist()]
    assert cosine_distances(rows, rows).tolist() == expected


def test_pairs_are_those_of_all_with_all():
    rng = np.random.default_rng(0)
    query, gallery = unit_rows(rng, (3, 40)), unit_rows(rng, (4, 40))
    rows, columns = np.array([2, 0, 2, 1]), np.array([3, 0, 3, 2])
    whole = cosine_distances(query, gallery)
    pairs = pair_distances(query, gallery, rows, columns)
    assert pairs.tolist() == whole[rows, columns].tolist()


def test_features_in_other_arrays():
    rng = np.random.default_rng(0)
    rows = unit_rows(rng, (4, 40)).astype(np.float16)
    plain = np.array(rows, np.float32)
    for other in (rows, np.asfortranarray(plain), np.repeat(plain, 2, axis=1)[:, ::2]):
        assert np.array_equal(
            cosine_distances(other, other), cosine_distances(plain, plain)
        )


@pytest.mark.parametrize("dim", [1, 2, 768, 2048])
@pytest.mark.parametrize("same_sign", [True, False])
def test_no_float32_product_is_farther_off_than_the_bound(dim, same_sign):
    """Sums of one sign grow, and so do their errors; one running sum is the worst."""
    rng = np.random.default_rng(0)
    query, gallery = unit_rows(rng, (20, dim)), unit_rows(rng, (30, dim))
    if same_sign:
        query, gallery = np.abs(query), np.abs(gallery)
    exact = query.astype(np.float64) @ gallery.astype(np.float64).T
    products = query[:, None] * gallery
    running = np.cumsum(products, axis=2)[..., -1]
    backwards = np.cumsum(products[..., ::-1], axis=2)[..., -1]
    for found in (query @ gallery.T, running, backwards):
        assert np.abs(found - exact).max() <= product_error(dim)


def test_bound_of_a_dimension():
    # 768 / 2^24, 1 % more for lengths, and two steps of the grid.
    assert product_error(768) == pytest.approx(1.01 * 768 / 2**24 + 2 * GRID, rel=1e-4)


def test_nothing_to_compare():
    empty = np.empty((0, 4), np.float32)
    assert cosine_distances(empty, empty).shape == (0, 0)
