from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster import candidates, neighbours
from crosscam.cluster.candidates import largest_products
from crosscam.cluster.neighbours import nearest_neighbours, rounding
from crosscam.kernel import set_threads
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def unit_rows(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def exact_distances(features):
    """Return 2 - 2 cos of doubles, summed in the order of the dimensions."""
    exact = features.astype(np.float64)
    cosines = np.cumsum(exact[:, None] * exact[None], axis=2)[:, :, -1]
    return 2 - 2 * cosines


def agrees(features, count):
    """Hold neighbours and distances against sorted rows of the dense matrix."""
    found, distances = nearest_neighbours(features, count)
    dense = exact_distances(features)
    num = len(features)
    expected = [oracles.neighbours(dense.tolist(), i, count) for i in range(num)]
    assert found.tolist() == expected
    wanted = np.take_along_axis(dense, found.astype(int), axis=1)
    wanted[:, 0] = 0
    assert np.array_equal(distances, np.clip(wanted, 0, 4).astype(np.float32))
    assert (found.dtype, distances.dtype) == (np.int32, np.float32)


def test_directions_on_a_circle():
    angles = np.deg2rad([0, 10, 30, 31, 180])
    features = unit_rows(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    found, distances = nearest_neighbours(features, 3)
    assert found.tolist() == [[0, 1, 2], [1, 0, 2], [2, 3, 1], [3, 2, 1], [4, 3, 2]]
    assert distances[0] == pytest.approx(2 - 2 * np.cos(angles[:3]), abs=1e-6)
    assert distances[4, 1] == pytest.approx(2 + 2 * np.cos(angles[3]), abs=1e-6)


def test_copies_are_in_order_of_index_after_the_image_itself():
    features = np.ones((5, 1), np.float32)
    found, distances = nearest_neighbours(features, 3)
    assert found.tolist() == [[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1], [4, 0, 1]]
    assert not distances.any()


@pytest.mark.parametrize("num", [0, 1, 2])
def test_few_images(num):
    features = np.eye(3, dtype=np.float32)[:num]
    found, distances = nearest_neighbours(features, max(num, 1))
    assert found.tolist() == [[], [[0]], [[0, 1], [1, 0]]][num]
    assert distances.tolist() == [[], [[0]], [[0, 2], [0, 2]]][num]


def test_the_image_alone():
    features = np.eye(4, dtype=np.float32)
    found, distances = nearest_neighbours(features, 1)
    assert found.tolist() == [[0], [1], [2], [3]]
    assert distances.tolist() == [[0]] * 4


@given(seed=seeds, num=st.integers(2, 40), dim=st.integers(1, 9))
def test_agrees_with_a_sort(seed, num, dim):
    rng = np.random.default_rng(seed)
    agrees(unit_rows(rng.standard_normal((num, dim))), int(rng.integers(1, num + 1)))


@given(seed=seeds, num=st.integers(2, 60))
def test_agrees_where_cosines_are_equal(seed, num):
    rng = np.random.default_rng(seed)
    features = unit_rows(rng.integers(-1, 2, (num, 3)) + np.array([0, 0, 1e-3]))
    agrees(features, int(rng.integers(1, num + 1)))


@given(seed=seeds, spread=st.sampled_from([1e-3, 1e-5, 1e-7, 0.0]))
def test_agrees_where_products_are_not_told_apart_by_single_precision(seed, spread):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal(8) + spread * rng.standard_normal((60, 8))
    agrees(unit_rows(features), 5)


def spoiled(features, width, _):
    """Return candidates as a BLAS could find them that rounds as badly as it may."""
    rng = np.random.default_rng(0)
    products = features @ features.T
    products += rng.uniform(-0.9, 0.9, products.shape) * rounding(features.shape[1])
    np.fill_diagonal(products, -np.inf)
    order = np.argsort(-products, axis=1)[:, :width]
    least = np.take_along_axis(products, order, axis=1)[:, -1]
    return np.sort(order, axis=1).astype(np.int32), least.astype(np.float32)


@given(seed=seeds, spread=st.sampled_from([1.0, 1e-2, 1e-3]))
def test_roundings_of_the_products_do_not_matter(seed, spread):
    rng = np.random.default_rng(seed)
    near = rng.standard_normal(64) + spread * rng.standard_normal((50, 64))
    features = unit_rows(near)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "SPARE", 2)
        expected = nearest_neighbours(features, 6)
        patch.setattr(neighbours, "largest_products", spoiled)
        found = nearest_neighbours(features, 6)
    assert all(map(np.array_equal, expected, found))


@given(seed=seeds, rows=st.integers(1, 30), columns=st.integers(1, 30))
def test_tiles_and_blocks_do_not_matter(seed, rows, columns):
    rng = np.random.default_rng(seed)
    features = unit_rows(rng.integers(-2, 3, (50, 3)) + np.array([0, 0, 1e-3]))
    expected = nearest_neighbours(features, 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "ROWS", rows)
        patch.setattr(candidates, "COLUMNS", columns)
        patch.setattr(neighbours, "PAIRS", columns)
        found = nearest_neighbours(features, 7)
    assert all(map(np.array_equal, expected, found))


def test_threads_do_not_matter():
    rng = np.random.default_rng(1)
    features = unit_rows(rng.standard_normal((700, 5)))
    set_threads(2)
    expected = nearest_neighbours(features, 20)
    set_threads(1)
    assert all(map(np.array_equal, expected, nearest_neighbours(features, 20)))


@given(seed=seeds, num=st.integers(2, 150), columns=st.integers(1, 150))
def test_candidates_are_those_of_the_largest_products(seed, num, columns):
    rng = np.random.default_rng(seed)
    features = rng.integers(-3, 4, (num, 3)).astype(np.float32)  # exact products
    width = int(rng.integers(1, num))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "ROWS", int(rng.integers(1, num + 1)))
        patch.setattr(candidates, "COLUMNS", columns)
        images, least = largest_products(features, width)
    products = features @ features.T
    np.fill_diagonal(products, -np.inf)
    own = np.take_along_axis(products, images.astype(int), axis=1)
    assert np.array_equal(np.sort(own), np.sort(products)[:, -width:])
    assert np.array_equal(least, own.min(axis=1))
    assert (np.diff(images, axis=1) > 0).all()


@pytest.mark.parametrize("value", [2, np.nan, np.inf])
def test_rows_that_are_not_normalised(value):
    features = np.eye(3, dtype=np.float32)
    features[1, 1] = value
    with pytest.raises(ValueError, match="features: must be L2-normalised, got a squ"):
        nearest_neighbours(features, 2)


@pytest.mark.parametrize("count", [0, 4])
def test_more_neighbours_than_images(count):
    told = f"num_neighbours: must be at least 1 and at most the 3 images, got {count}"
    with pytest.raises(ValueError, match=told):
        nearest_neighbours(np.eye(3, dtype=np.float32), count)
