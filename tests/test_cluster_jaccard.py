from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.cluster import jaccard as module
from crosscam.cluster.jaccard import RerankParams, nearest, reranked_distances
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


def test_neighbours_of_copies_are_the_lowest_indices():
    copies = np.zeros((4, 4), np.float32)
    expected = [[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1]]
    assert nearest(copies, 3).tolist() == expected


def test_an_image_comes_before_its_copies():
    distances = between_points([7, 3, 3, 3])
    assert nearest(distances, 2).tolist() == [[0, 1], [1, 2], [2, 1], [3, 1]]


@given(seed=seeds, num=st.integers(1, 12), rows=st.integers(1, 12))
def test_nearest_agrees_with_a_sort(seed, num, rows):
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 4, (num, num)).astype(np.float32)
    count = int(rng.integers(1, num + 1))
    expected = [oracles.neighbours(distances.tolist(), i, count) for i in range(num)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", rows)
        assert nearest(distances, count).tolist() == expected


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
    before = distances.copy()
    result = reranked_distances(distances, params)
    assert result.dtype == np.float32
    assert np.array_equal(result, result.T)
    assert np.array_equal(np.diagonal(result), np.zeros(num))
    assert result.min() >= 0
    assert result.max() <= 1
    assert np.array_equal(distances, before)


@given(seed=seeds, num=st.integers(2, 30), params=sizes)
def test_order_of_images_does_not_matter_without_ties(seed, num, params):
    rng = np.random.default_rng(seed)
    distances, order = random_distances(rng, num), rng.permutation(num)
    result = reranked_distances(distances, params)
    permuted = reranked_distances(distances[np.ix_(order, order)], params)
    assert permuted == pytest.approx(result[np.ix_(order, order)], abs=1e-6)


@given(seed=seeds, factor=st.sampled_from([0.25, 4.0]), params=sizes)
def test_unit_of_the_distances_does_not_matter(seed, factor, params):
    distances = random_distances(np.random.default_rng(seed), 12)
    assert np.array_equal(
        reranked_distances(np.float32(factor) * distances, params),
        reranked_distances(distances, params),
    )
