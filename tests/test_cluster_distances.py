from __future__ import annotations

import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster import distances as module
from crosscam.cluster.distances import cosine_distances, distance_at
from crosscam.kernel import set_threads
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def unit_rows(rng, num, dim=4):
    rows = rng.standard_normal((num, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_right_angles_and_opposites():
    features = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    assert cosine_distances(features).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]


@pytest.mark.parametrize("num", [0, 1])
def test_without_pairs(num):
    features = np.eye(1, 3, dtype=np.float32)[:num]
    assert cosine_distances(features).tolist() == [[0]] * num


@given(seed=seeds, num=st.integers(2, 20))
def test_is_one_minus_the_cosine(seed, num):
    features = unit_rows(np.random.default_rng(seed), num)
    distances = cosine_distances(features)
    assert np.allclose(distances, 1 - features @ features.T, atol=1e-6)
    assert np.array_equal(distances, distances.T)
    assert np.array_equal(np.diagonal(distances), np.zeros(num))
    assert distances.min() >= 0
    assert distances.max() <= 2


@given(seed=seeds, rows=st.integers(1, 9))
def test_blocks_leave_it_symmetric(seed, rows):
    features = unit_rows(np.random.default_rng(seed), 8)
    whole = cosine_distances(features)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", rows)
        blocks = cosine_distances(features)
    assert np.array_equal(blocks, blocks.T)
    assert np.allclose(blocks, whole, atol=1e-6)


def test_symmetric_where_products_are_summed_in_another_order():
    # From some size on, a product with the own transpose differs in its last bits.
    features = unit_rows(np.random.default_rng(0), 2100, 320)
    distances = cosine_distances(features)
    assert np.array_equal(distances, distances.T)


def passes(features, rows):
    """Return distances by one operation of numpy after the other."""
    num = len(features)
    result = np.zeros((num, num), np.float32)
    for start in range(0, num, rows):
        own = slice(start, start + rows)
        upper = np.empty((num, num), np.float32)[own, start:]
        np.matmul(features[own], features[start:].T, out=upper)
        upper = np.clip(np.float32(1) - upper, 0, 2)
        size = len(upper)
        upper[:, :size] = np.minimum(upper[:, :size], upper[:, :size].T)
        result[own, start:] = upper
        result[start:, own] = upper.T
    np.fill_diagonal(result, 0)
    return result


@pytest.mark.parametrize("rows", [1, 63, 64, 100, 128, 500])
@pytest.mark.parametrize("num", [1, 64, 65, 200, 333])
def test_one_pass_gives_the_bits_of_several(num, rows, monkeypatch):
    features = unit_rows(np.random.default_rng(num), num, 300)
    features[num // 2] = features[0]  # a copy: the product may be a little above 1
    monkeypatch.setattr(module, "ROWS", rows)
    assert np.array_equal(cosine_distances(features), passes(features, rows))


def test_of_two_products_the_nearer_one_counts():
    # On both sides of the diagonal within a block of rows, but not beyond it.
    products = np.zeros((70, 70), np.float32)
    products[0, 3], products[3, 0] = 0.5, 0.25
    products[2, 66], products[66, 2] = 0.25, 0.5
    products[4, 69] = 3
    products[5, 69] = -3
    module._finish_rows(products, 0, 68)
    assert products[0, 3] == products[3, 0] == 0.5
    assert products[2, 66] == products[66, 2] == 0.5
    assert products[4, 69] == products[69, 4] == 0
    assert products[5, 69] == products[69, 5] == 2


def test_quantile_is_the_lower_neighbour_above_the_diagonal():
    # Below the diagonal and on it lies what must not be read.
    distances = np.array([[9, 1, 2], [9, 9, 3], [9, 9, 9]], np.float32)
    assert [distance_at(distances, q) for q in (0, 0.4, 0.5, 0.9, 1)] == [1, 1, 2, 2, 3]


def test_copies_do_not_count():
    distances = np.array([[0, 0, 5], [0, 0, 7], [5, 7, 0]], np.float32)
    assert distance_at(distances, 0) == 5
    assert distance_at(distances, 1) == 7


@pytest.mark.parametrize("num", [0, 1, 3])
def test_no_positive_distance(num):
    assert distance_at(np.zeros((num, num), np.float32), 0.5) == 0


@given(seed=seeds, num=st.integers(2, 12), eighths=st.integers(0, 8))
def test_quantile_agrees_with_the_definition(seed, num, eighths):
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 6, (num, num)).astype(np.float32)
    distances[0, 1] = 1  # one at least is positive
    expected = oracles.distance_at(distances.tolist(), eighths / 8)
    assert distance_at(distances, eighths / 8) == expected


@given(seed=seeds, num=st.integers(2, 60), quantile=st.floats(0, 1))
def test_quantile_is_that_of_numpy(seed, num, quantile):
    rng = np.random.default_rng(seed)
    distances = (2 * rng.random((num, num)) ** 9).astype(np.float32)
    distances[rng.random((num, num)) < 0.3] = 0
    distances[0, 1] = np.float32(1e-45)  # the least there is
    upper = distances[np.triu_indices(num, 1)]
    expected = np.quantile(upper[upper > 0], quantile, method="lower")
    assert distance_at(distances, quantile) == expected


def test_threads_do_not_matter():
    features = unit_rows(np.random.default_rng(0), 300)
    before, results = numba.get_num_threads(), []
    try:
        for num_threads in (1, 2):
            set_threads(num_threads)
            distances = cosine_distances(features)
            quantiles = [distance_at(distances, q / 50) for q in range(51)]
            results.append([distances.tolist(), quantiles])
    finally:
        numba.set_num_threads(before)
    assert results[0] == results[1]


def test_a_quantile_takes_no_copy():
    distances = cosine_distances(unit_rows(np.random.default_rng(0), 2000))
    distance_at(distances[:9, :9].copy(), 0.5)
    tracemalloc.start()
    distance_at(distances, 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7
