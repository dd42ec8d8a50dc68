from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.cluster.jaccard import RerankParams, reranked_distances
from crosscam.cluster.mixing import TILE
from crosscam.cluster.nearest import nearest
from crosscam.kernel import set_threads
from tests import oracles

seeds = st.integers(0, 2**32 - 1)
sizes = st.builds(
    RerankParams,
    k1=st.integers(2, 12),
    k2=st.integers(1, 12),
    lambda_=st.sampled_from([0.0, 0.3, 1.0]),
)


def between_points(points):
    return np.abs(np.subtract.outer(points, points)).astype(np.float32)


def random_distances(rng, num):
    points = rng.random((num, 3))
    return np.linalg.norm(points[:, None] - points[None], axis=2).astype(np.float32)


def test_two_images():
    # Both are all of each other's set: V = (1, 1/e) and (1/e, 1), each over its sum.
    distances = between_points([0, 5])
    result = reranked_distances(distances, RerankParams(20, 1, 0.3))
    expected = 0.7 * (1 - 1 / math.e) + 0.3
    assert result == pytest.approx(np.array([[0, expected], [expected, 0]]))


def test_query_expansion_makes_two_images_one():
    distances = between_points([0, 5])
    result = reranked_distances(distances, RerankParams(20, 6, 0.3))
    assert result == pytest.approx(np.array([[0, 0.3], [0.3, 0]]))


def test_images_without_common_neighbours_are_at_distance_one():
    distances = between_points([0, 1, 2, 20, 21, 22])
    result = reranked_distances(distances, RerankParams(2, 1, 0.0))
    near = np.kron(np.eye(2), np.ones((3, 3))) == 1
    assert np.array_equal(result[~near], np.ones(18))
    assert result[near].max() < 0.1


def test_both_directions_are_averaged():
    # λ = 1 leaves the scaled distances: 1 of 3 one way, 1 of 2 the other.
    result = reranked_distances(between_points([0, 1, 3]), RerankParams(2, 1, 1.0))
    assert result[0, 1] == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_the_published_form_is_not_symmetric():
    # As above; a clustering reads what is above the diagonal, 1/3 or, with the images
    # in reverse order, 1/2.
    distances = between_points([0, 1, 3]).tolist()
    published = oracles.published_distances(distances, 2, 1, 1.0)
    assert published[0][1] == pytest.approx(1 / 3)
    assert published[1][0] == pytest.approx(1 / 2)


def test_the_jaccard_distance_alone():
    # λ = 0, no expansion of the query. k1 = 1: 0 and 1 have each other, 3 has none that
    # has it; V = (1, e^-1/3) and (e^-1/2, 1) over their sums, and (0, 0, 1).
    result = reranked_distances(between_points([0, 1, 3]), RerankParams(1, 1, 0.0))
    first, second = (1 / (1 + math.exp(-d)) for d in (1 / 3, 1 / 2))
    shared = (1 - first) + (1 - second)  # the minima: both have themselves first
    expected = 1 - shared / (2 - shared)
    assert result == pytest.approx(
        np.array([[0, expected, 1], [expected, 0, 1], [1, 1, 0]]), abs=1e-6
    )


@given(seed=seeds, num=st.integers(2, 12), params=sizes)
def test_is_the_mean_of_both_directions_of_the_published_form(seed, num, params):
    distances = random_distances(np.random.default_rng(seed), num)
    one_way = oracles.published_distances(distances.tolist(), *vars(params).values())
    expected = (np.array(one_way) + np.transpose(one_way)) / 2
    np.fill_diagonal(expected, 0)
    assert reranked_distances(distances, params) == pytest.approx(expected, abs=2e-6)
    if params.lambda_ == 0:  # then it is symmetric as published
        assert np.array(one_way) == pytest.approx(np.transpose(one_way))


@pytest.mark.parametrize("num", [0, 1])
def test_without_pairs(num):
    distances = np.zeros((num, num), np.float32)
    assert (
        reranked_distances(distances, RerankParams(20, 6, 0.3)).tolist() == [[0]] * num
    )


def test_all_images_are_copies():
    result = reranked_distances(np.zeros((5, 5), np.float32), RerankParams(20, 6, 0.3))
    assert result == pytest.approx(np.zeros((5, 5)), abs=1e-6)


@settings(max_examples=40)
@given(seed=seeds, num=st.integers(2, 14), params=sizes)
def test_agrees_with_the_definition(seed, num, params):
    distances = random_distances(np.random.default_rng(seed), num)
    expected = oracles.reranked_distances(distances.tolist(), *vars(params).values())
    assert reranked_distances(distances, params) == pytest.approx(
        np.array(expected), abs=2e-6
    )


@settings(max_examples=40)
@given(seed=seeds, num=st.integers(2, 14), params=sizes)
def test_agrees_with_the_definition_where_distances_are_equal(seed, num, params):
    rng = np.random.default_rng(seed)
    distances = between_points(rng.integers(0, 5, num))
    expected = oracles.reranked_distances(distances.tolist(), *vars(params).values())
    assert reranked_distances(distances, params) == pytest.approx(
        np.array(expected), abs=2e-6
    )


@given(seed=seeds, num=st.integers(2, 40), params=sizes)
def test_is_a_distance_matrix(seed, num, params):
    distances = random_distances(np.random.default_rng(seed), num)
    result = reranked_distances(distances, params)
    assert result is distances
    assert result.dtype == np.float32
    assert np.array_equal(result, result.T)
    assert np.array_equal(np.diagonal(result), np.zeros(num))
    assert result.min() >= 0
    assert result.max() <= 1


@given(seed=seeds, num=st.integers(2, 30), params=sizes)
def test_order_of_images_does_not_matter_without_ties(seed, num, params):
    rng = np.random.default_rng(seed)
    distances, order = random_distances(rng, num), rng.permutation(num)
    permuted = reranked_distances(distances[order][:, order].copy(), params)
    result = reranked_distances(distances, params)
    assert permuted == pytest.approx(result[np.ix_(order, order)], abs=1e-6)


@given(seed=seeds, factor=st.sampled_from([0.25, 4.0]), params=sizes)
def test_unit_of_the_distances_does_not_matter(seed, factor, params):
    distances = random_distances(np.random.default_rng(seed), 12)
    assert np.array_equal(
        reranked_distances(np.float32(factor) * distances, params),
        reranked_distances(distances, params),
    )


def in_float32(distances, params):
    """Return the result as numpy does it on whole matrices, value by value."""
    num = len(distances)
    k1, k2 = min(params.k1, num - 1), min(params.k2, num)
    rows = distances.tolist()
    largest = distances.max(axis=1, keepdims=True)
    scaled = distances / np.where(largest == 0, 1, largest)
    vectors = np.zeros_like(scaled)
    for i in range(num):
        members = sorted(oracles.expanded_set(rows, i, k1))
        weights = np.exp(-scaled[i, members])
        vectors[i, members] = weights / weights.sum(dtype=np.float64)
    near = nearest(distances, k2)
    sums = np.zeros_like(vectors)
    for neighbour in near.T:
        sums += vectors[neighbour]
    minima = np.minimum(sums[:, None], sums[None]).sum(axis=2, dtype=np.float64)
    minima *= np.float32(1 / k2)
    mixed = (1 - minima / (2 - minima)).astype(np.float32) * np.float32(
        1 - params.lambda_
    ) + scaled * np.float32(params.lambda_)
    mean = np.clip((mixed + mixed.T) / 2, 0, 1)
    np.fill_diagonal(mean, 0)
    return mean


@settings(max_examples=10)
@given(seed=seeds, num=st.integers(2, 2 * TILE + 40), params=sizes)
def test_every_bit_is_defined(seed, num, params):
    rng = np.random.default_rng(seed)
    distances = random_distances(rng, num)
    if seed % 2:
        distances = np.round(distances * 8) / 8  # ties
    expected = in_float32(distances, params)
    assert np.array_equal(reranked_distances(distances, params), expected)


def test_threads_change_nothing():
    distances = random_distances(np.random.default_rng(3), 4 * TILE + 1)
    before = numba.get_num_threads()
    try:
        set_threads(1)
        one = reranked_distances(distances.copy(), RerankParams(20, 6, 0.3))
        set_threads(2)
        two = reranked_distances(distances, RerankParams(20, 6, 0.3))
    finally:
        numba.set_num_threads(before)
    assert np.array_equal(one, two)


def test_what_is_no_number_is_not_hidden():
    distances = random_distances(np.random.default_rng(3), 40)
    distances[7, 9] = distances[9, 7] = np.nan
    assert np.isnan(reranked_distances(distances, RerankParams(6, 3, 0.3))[7, 9])
