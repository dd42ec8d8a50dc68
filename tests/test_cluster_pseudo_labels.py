from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster import pseudo_labels as module
from crosscam.cluster.pseudo_labels import OUTLIER, CutParams
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def into(num_clusters, min_size=1):
    return CutParams("count", num_clusters, 0.5, min_size)


def at(quantile, min_size=1):
    return CutParams("quantile", 9, quantile, min_size)


def pseudo_labels(distances, params):
    """Return pseudo labels, leaving the distances as they are."""
    return module.pseudo_labels(distances.copy(), params)


def between_points(points):
    return np.abs(np.subtract.outer(points, points)).astype(np.float32)


def random_distances(rng, num):
    upper = np.triu(rng.random((num, num)), 1).astype(np.float32)
    return upper + upper.T


def clusters_of(labels):
    names = [label for label in np.unique(labels) if label != OUTLIER]
    return sorted(np.flatnonzero(labels == name).tolist() for name in names)


def test_cut_into_three():
    distances = between_points([0, 1, 10, 11, 30, 31])
    assert pseudo_labels(distances, into(3)).tolist() == [0, 0, 1, 1, 2, 2]


def test_no_more_clusters_than_half_the_images():
    distances = between_points([0, 1, 10, 11, 30])
    assert pseudo_labels(distances, into(600)).tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("quantile", "expected"),
    [(0.0, [0, 1, 2]), (0.5, [0, 0, 1]), (1.0, [0, 0, 0])],
)
def test_cut_at_a_quantile(quantile, expected):
    # Distances 1, 9, 10; average linkage joins at 1 and at 9.5.
    distances = between_points([0, 1, 10])
    assert pseudo_labels(distances, at(quantile)).tolist() == expected


def test_small_clusters_become_outliers():
    distances = between_points([5, 0, 1, 10, 11, 12])
    assert pseudo_labels(distances, into(3)).tolist() == [0, 1, 1, 2, 2, 2]
    singles = pseudo_labels(distances, into(3, min_size=2))
    assert singles.tolist() == [OUTLIER, 0, 0, 1, 1, 1]
    pairs = pseudo_labels(distances, into(3, min_size=3))
    assert pairs.tolist() == [OUTLIER, OUTLIER, OUTLIER, 0, 0, 0]


def test_numbered_by_first_appearance():
    distances = between_points([30, 0, 10, 31, 11, 1])
    assert pseudo_labels(distances, into(3)).tolist() == [0, 1, 2, 0, 2, 1]


@pytest.mark.parametrize("params", [into(5), at(0.5)])
def test_no_image_and_one(params):
    assert pseudo_labels(np.zeros((0, 0), np.float32), params).tolist() == []
    assert pseudo_labels(np.zeros((1, 1), np.float32), params).tolist() == [0]


def test_one_image_can_be_an_outlier():
    one = np.zeros((1, 1), np.float32)
    assert pseudo_labels(one, into(5, min_size=2)).tolist() == [OUTLIER]


def test_two_images():
    distances = between_points([0, 1])
    assert pseudo_labels(distances, into(5)).tolist() == [0, 0]
    assert pseudo_labels(distances, at(1.0)).tolist() == [0, 1]  # not below 1


def test_copies_stay_apart_where_no_distance_is_positive():
    copies = np.zeros((3, 3), np.float32)
    assert pseudo_labels(copies, at(0.5)).tolist() == [0, 1, 2]


@given(seed=seeds, num=st.integers(2, 12), count=st.integers(1, 8))
def test_count_agrees_with_average_linkage(seed, num, count):
    distances = random_distances(np.random.default_rng(seed), num)
    expected = oracles.average_linkage(distances.tolist(), min(count, max(num // 2, 1)))
    assert clusters_of(pseudo_labels(distances, into(count))) == expected


@given(seed=seeds, num=st.integers(2, 12), eighths=st.integers(0, 8))
def test_quantile_agrees_with_average_linkage(seed, num, eighths):
    distances = random_distances(np.random.default_rng(seed), num)
    limit = oracles.distance_at(distances.tolist(), eighths / 8)
    expected = oracles.average_linkage(distances.tolist(), threshold=limit)
    assert clusters_of(pseudo_labels(distances, at(eighths / 8))) == expected


@given(seed=seeds, min_size=st.integers(1, 4))
def test_order_of_images_does_not_matter(seed, min_size):
    rng = np.random.default_rng(seed)
    distances, order = random_distances(rng, 14), rng.permutation(14)
    labels = pseudo_labels(distances, at(0.25, min_size))
    permuted = pseudo_labels(distances[np.ix_(order, order)], at(0.25, min_size))
    back = np.empty(14, int)
    back[order] = permuted
    assert clusters_of(back) == clusters_of(labels)
    assert np.array_equal(back == OUTLIER, labels == OUTLIER)


@given(seed=seeds, min_size=st.integers(1, 4))
def test_numbers_have_no_gap(seed, min_size):
    distances = random_distances(np.random.default_rng(seed), 14)
    labels = pseudo_labels(distances, at(0.25, min_size))
    first_seen = list(dict.fromkeys(labels[labels != OUTLIER].tolist()))
    assert first_seen == list(range(len(first_seen)))
    assert labels.dtype == np.int32
