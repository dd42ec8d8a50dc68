from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster import sparse_jaccard as module
from crosscam.cluster.neighbours import nearest_neighbours
from crosscam.cluster.sparse_jaccard import sparse_jaccard_distances
from crosscam.kernel import set_threads
from tests import oracles

seeds = st.integers(0, 2**32 - 1)
widths = st.integers(1, 12)


def unit_rows(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def people(rng, num, dim=6):
    centres = rng.standard_normal((num // 5 + 1, dim))
    return unit_rows(centres[np.arange(num) // 5] + rng.standard_normal((num, dim)))


def computed(features, k1, k2, limit=1.0):
    width = min(max(k1 + 1, k2), max(len(features), 1))
    neighbours, _ = nearest_neighbours(features, width)
    return sparse_jaccard_distances(features, neighbours, k1, k2, limit)


def dense(matrix):
    """Return the matrix with 1 where nothing is stored."""
    result = np.ones(matrix.shape, np.float32)
    entries = matrix.tocoo()
    result[entries.coords] = entries.data
    return result


def equal(first, second):
    parts = ("indptr", "indices", "data")
    return all(np.array_equal(getattr(first, p), getattr(second, p)) for p in parts)


def test_two_images():
    # Both are all of each other's set: V = (1, w) and (w, 1) over 1 + w, w = exp(-2).
    features = np.eye(2, dtype=np.float32)
    w = np.exp(-2)
    expected = 1 - w  # m = 2w / (1 + w)
    found = dense(computed(features, 20, 1))
    assert found == pytest.approx(np.array([[0, expected], [expected, 0]]))


def test_query_expansion_makes_two_images_one():
    result = computed(np.eye(2, dtype=np.float32), 20, 6)
    assert result.data == pytest.approx(np.zeros(4), abs=1e-6)
    assert result.nnz == 4


def test_images_without_common_neighbours_are_not_stored():
    angles = np.deg2rad([0, 1, 2, 90, 91, 92])
    result = computed(unit_rows(np.stack([np.cos(angles), np.sin(angles)], 1)), 2, 1)
    near = np.kron(np.eye(2), np.ones((3, 3)))
    assert np.array_equal(result.toarray() > 0, near - np.eye(6) > 0)
    assert result.nnz == near.sum()  # the diagonal is stored


@pytest.mark.parametrize("num", [0, 1])
def test_without_pairs(num):
    result = computed(np.ones((num, 1), np.float32), 20, 6)
    assert result.shape == (num, num)
    assert result.data.tolist() == [0] * num


def test_copies_are_stored_at_distance_0():
    result = computed(np.ones((4, 1), np.float32), 20, 6)
    assert result.nnz == 16
    assert result.data == pytest.approx(np.zeros(16), abs=1e-6)


def alike(rng, num):
    """Return rows of few values: many are copies, and many distances equal."""
    return unit_rows(rng.integers(-1, 2, (num, 3)) + np.array([0, 0, 1e-2]))


@given(
    seed=seeds,
    num=st.integers(2, 16),
    k1=widths,
    k2=widths,
    draw=st.sampled_from([people, alike]),
)
def test_agrees_with_the_definition(seed, num, k1, k2, draw):
    features = draw(np.random.default_rng(seed), num)
    k = min(k1, num - 1)
    ranks, _ = nearest_neighbours(features, min(max(k1 + 1, k2), num))
    expected = oracles.jaccard_distances_of_ranks(
        features.tolist(), ranks.tolist(), k, k2
    )
    found = dense(computed(features, k1, k2))
    assert found == pytest.approx(np.array(expected), abs=1e-6)


@given(seed=seeds, num=st.integers(14, 40), k1=widths)
def test_agrees_with_the_published_code_that_counts_the_image_itself(seed, num, k1):
    features = people(np.random.default_rng(seed), num)
    ranks, _ = nearest_neighbours(features, k1)
    expected = oracles.jaccard_distances_of_ranks(
        features.tolist(), ranks.tolist(), k1, 6
    )
    found = dense(sparse_jaccard_distances(features, ranks, k1, 6))
    assert found == pytest.approx(np.array(expected), abs=1e-6)


def test_few_that_are_near_come_in_order_too():
    rng = np.random.default_rng(4)  # images on a circle, in any order
    angles = (rng.permutation(100) + 0.3 * rng.random(100)) * 2 * np.pi / 100
    features = unit_rows(np.stack([np.cos(angles), np.sin(angles)], 1))
    found = computed(features, 2, 1)
    assert 1 < np.diff(found.indptr).max() < 100 / 16  # where they are sorted
    assert found.has_canonical_format
    ranks, _ = nearest_neighbours(features, 3)
    expected = oracles.jaccard_distances_of_ranks(
        features.tolist(), ranks.tolist(), 2, 1
    )
    assert dense(found) == pytest.approx(np.array(expected), abs=1e-6)


@given(seed=seeds, num=st.integers(2, 60), k1=widths, k2=widths)
def test_is_symmetric_in_order_and_below_one(seed, num, k1, k2):
    rng = np.random.default_rng(seed)
    features = unit_rows(rng.integers(-1, 2, (num, 4)) + np.array([0, 0, 0, 1e-2]))
    result = computed(features, k1, k2)
    assert result.data.dtype == np.float32
    assert result.has_canonical_format
    assert equal(result, result.T.tocsr())
    assert np.array_equal(result.diagonal(), np.zeros(num))
    assert result.data.min() >= 0
    assert result.data.max() < 1


@given(seed=seeds, num=st.integers(2, 40), k1=widths, k2=widths)
def test_the_order_of_the_images_does_not_matter(seed, num, k1, k2):
    rng = np.random.default_rng(seed)
    features, order = people(rng, num), rng.permutation(num)
    moved = dense(computed(features[order], k1, k2))
    expected = dense(computed(features, k1, k2))[np.ix_(order, order)]
    assert moved == pytest.approx(expected, abs=1e-6)


@given(seed=seeds, limit=st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_a_limit_leaves_out_what_is_beyond(seed, limit):
    features = people(np.random.default_rng(seed), 40)
    whole, part = computed(features, 8, 3), computed(features, 8, 3, limit)
    inside = whole.data <= np.float32(limit)
    assert np.array_equal(part.data, whole.data[inside])
    assert np.array_equal(part.indices, whole.indices[inside])
    assert part.nnz < whole.nnz


@given(seed=seeds, rows=st.integers(1, 40), capacity=st.integers(1, 30))
def test_blocks_do_not_matter(seed, rows, capacity):
    features = people(np.random.default_rng(seed), 40)
    expected = computed(features, 8, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", rows)
        patch.setattr(module, "CAPACITY", capacity)
        assert equal(computed(features, 8, 3), expected)


def test_threads_do_not_matter():
    features = people(np.random.default_rng(2), 500)
    set_threads(2)
    expected = computed(features, 20, 6)
    set_threads(1)
    assert equal(computed(features, 20, 6), expected)


def test_memory_does_not_grow_with_the_pairs():
    features = people(np.random.default_rng(3), 6000)
    neighbours, _ = nearest_neighbours(features, 21)
    tracemalloc.start()
    sparse_jaccard_distances(features, neighbours, 20, 6, 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000**2  # a byte per pair; the dense form takes 12 and more
