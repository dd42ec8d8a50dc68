from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.cluster.jaccard import RerankParams
from crosscam.kernel import set_threads
from crosscam.rank import rerank as module
from crosscam.rank.distance import cosine_distances
from crosscam.rank.rerank import reranked_distmat, reranked_part
from tests import oracles

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 14)
sizes = st.builds(
    RerankParams,
    k1=st.integers(2, 16),
    k2=st.integers(1, 8),
    lambda_=st.sampled_from([0.0, 0.3, 1.0]),
)


def unit_rows(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def published(query_query, query_gallery, gallery_gallery, k1, k2, lambda_):
    """Return what the published code does, step by step; ties are ours.

    Distances are squared Euclidean ones, V holds a row per image.
    """
    num_query, num = len(query_query), len(query_query) + len(gallery_gallery)
    original = np.block([
        [query_query, query_gallery],
        [query_gallery.T, gallery_gallery],
    ])
    with np.errstate(invalid="ignore"):
        original = np.nan_to_num(original / original.max(axis=0)).T
    key = original.copy()
    np.fill_diagonal(key, -1)  # the image itself comes first
    rank = np.argsort(key, axis=1, kind="stable")

    def reciprocal(i, k):
        return {j for j in rank[i, : k + 1] if i in rank[j, : k + 1]}

    vectors = np.zeros((num, num))
    for i in range(num):
        members = reciprocal(i, k1)
        expanded = set(members)
        for j in members:
            candidates = reciprocal(j, int(np.around(k1 / 2)))
            if 3 * len(candidates & members) > 2 * len(candidates):
                expanded |= candidates
        columns = sorted(expanded)
        weights = np.exp(-original[i, columns])
        vectors[i, columns] = weights / weights.sum()
    vectors = np.stack([vectors[rank[i, :k2]].mean(axis=0) for i in range(num)])
    minima = np.minimum(vectors[:num_query, None], vectors[None]).sum(axis=2)
    jaccard = 1 - minima / (2 - minima)
    mixed = jaccard * (1 - lambda_) + original[:num_query] * lambda_
    return mixed[:, num_query:]


def published_of(query, gallery, params):
    """Return it of the distances that ours has, so that ties are the same ones."""
    pairs = (query, query), (query, gallery), (gallery, gallery)
    squared = [2 * cosine_distances(*pair).astype(np.float64) for pair in pairs]
    return published(*squared, *vars(params).values())


def test_one_query_and_one_image():
    # Both are all of each other's set: V = (1, 1/e) and (1/e, 1), each over its sum.
    query, gallery = unit_rows([[1, 0]]), unit_rows([[0, 1]])
    result = reranked_distmat(query, gallery, RerankParams(20, 1, 0.3))
    assert result.tolist() == [[pytest.approx(0.7 * (1 - 1 / math.e) + 0.3)]]


def test_distances_are_scaled_by_the_largest_of_the_query():
    # cos = 0.6 and -1; the other query is farther than the first image, but not last.
    query, gallery = unit_rows([[1, 0], [0, 1]]), unit_rows([[3, 4], [-1, 0]])
    result = reranked_distmat(query, gallery, RerankParams(2, 1, 1.0))
    assert result == pytest.approx(np.array([[0.4 / 2, 1], [0.2 / 1, 1]]), abs=1e-6)


def test_another_query_can_bring_an_image_to_the_front():
    # It stands between the query and the image at 40 degrees.
    angles = np.deg2rad([0, 20, -39, 40])
    rows = unit_rows(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    params = RerankParams(3, 1, 0.0)
    alone = reranked_distmat(rows[:1], rows[2:], params)[0]
    assert alone[0] < alone[1]
    helped = reranked_distmat(rows[:2], rows[2:], params)[0]
    assert helped[1] < helped[0]


@settings(max_examples=40)
@given(seed=seeds, num_query=counts, num_gallery=counts, params=sizes)
def test_agrees_with_the_published_steps(seed, num_query, num_gallery, params):
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng.standard_normal((num_query + num_gallery, 6)))
    query, gallery = rows[:num_query], rows[num_query:]
    result = reranked_distmat(query, gallery, params)
    expected = published_of(query, gallery, params)
    assert result.dtype == np.float32
    assert result == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40)
@given(seed=seeds, num_query=counts, num_gallery=counts, params=sizes)
def test_agrees_with_them_where_images_are_equal(seed, num_query, num_gallery, params):
    rng = np.random.default_rng(seed)
    kinds = unit_rows(rng.standard_normal((4, 3)))
    query = kinds[rng.integers(0, 4, num_query)]
    gallery = kinds[rng.integers(0, 4, num_gallery)]
    result = reranked_distmat(query, gallery, params)
    assert result == pytest.approx(published_of(query, gallery, params), abs=1e-6)
    assert result.min() >= 0
    assert result.max() <= 1


def test_euclidean_distances_give_the_same():
    rng = np.random.default_rng(0)
    rows = unit_rows(rng.standard_normal((90, 12))[np.arange(90) // 6])
    rows = unit_rows(rows + 0.1 * rng.standard_normal(rows.shape))
    exact = rows.astype(np.float64)
    squared = np.square(exact[:, None] - exact[None]).sum(axis=2)
    parts = squared[:30, :30], squared[:30, 30:], squared[30:, 30:]
    expected = published(*parts, 20, 6, 0.3)
    result = reranked_distmat(rows[:30], rows[30:], RerankParams(20, 6, 0.3))
    assert result == pytest.approx(expected, abs=1e-6)


def test_is_a_part_of_the_distances_of_all_images():
    rows = unit_rows(np.random.default_rng(1).standard_normal((24, 4)))
    distances = cosine_distances(rows, rows).tolist()
    whole = np.array(oracles.published_distances(distances, 6, 3, 0.3))
    result = reranked_distmat(rows[:9], rows[9:], RerankParams(6, 3, 0.3))
    assert result == pytest.approx(whole[:9, 9:], abs=1e-6)


@pytest.mark.parametrize("num_rows", [1, 7, 25, 59, 60])
def test_blocks_and_threads_change_nothing(monkeypatch, num_rows):
    rows = unit_rows(np.random.default_rng(2).standard_normal((60, 8)))
    distances = cosine_distances(rows, rows)
    given = 25, RerankParams(6, 3, 0.3)
    before = numba.get_num_threads()
    try:
        set_threads(2)
        whole = reranked_part(distances, *given)
        set_threads(1)
        monkeypatch.setattr(module, "ROWS", num_rows)
        assert np.array_equal(reranked_part(distances, *given), whole)
    finally:
        numba.set_num_threads(before)
    # Products of other blocks may differ in their last bits.
    by_features = reranked_distmat(rows[:25], rows[25:], given[1])
    assert by_features == pytest.approx(whole, abs=1e-6)


def test_given_distances_are_only_read():
    rows = unit_rows(np.random.default_rng(3).standard_normal((20, 8)))
    distances = cosine_distances(rows, rows)
    distances.flags.writeable = False
    result = reranked_part(distances, 5, RerankParams(4, 2, 0.3))
    assert result.shape == (5, 15)


@pytest.mark.parametrize(("num_query", "num_gallery"), [(0, 0), (0, 3), (3, 0)])
def test_without_pairs(num_query, num_gallery):
    rows = unit_rows(np.eye(3))
    result = reranked_distmat(
        rows[:num_query], rows[:num_gallery], RerankParams(20, 6, 0.3)
    )
    assert result.shape == (num_query, num_gallery)


def test_all_images_are_copies():
    rows = unit_rows(np.ones((6, 4)))
    result = reranked_distmat(rows[:2], rows[2:], RerankParams(20, 6, 0.3))
    assert result.min() >= 0  # a sum above 1 would make them negative
    assert result == pytest.approx(np.zeros((2, 4)), abs=1e-6)
