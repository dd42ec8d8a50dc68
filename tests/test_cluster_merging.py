from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster.merging import fill_nearest, merge_pairs

seeds = st.integers(0, 2**32 - 1)


def random_matrix(rng, num, levels):
    upper = np.triu(rng.integers(1, levels, (num, num)), 1).astype(np.float32) / 7
    return upper + upper.T


def literal_nearest(distances):
    """Return each row's nearest other; of equal ones that of the least XOR."""
    num = len(distances)
    return [
        min((j for j in range(num) if j != i), key=lambda j: (distances[i, j], i ^ j))
        for i in range(num)
    ]


def test_equal_clusters_are_paired():
    nearest = np.empty(7, np.int64)
    fill_nearest(np.ones((7, 7), np.float32), nearest)
    assert nearest.tolist() == [1, 0, 3, 2, 5, 4, 4]


@pytest.mark.parametrize("num", [2, 3, 64, 511, 512, 513])
@pytest.mark.parametrize("levels", [2, 4, 10**6])
def test_nearest(num, levels):
    distances = random_matrix(np.random.default_rng(num), num, levels)
    nearest = np.empty(num, np.int64)
    expected = literal_nearest(distances)
    fill_nearest(distances, nearest)
    assert nearest.tolist() == expected
    assert np.all(np.diagonal(distances) == np.inf)


@given(seed=seeds, num=st.integers(4, 40), levels=st.sampled_from([3, 10**6]))
def test_pairs_merge_and_others_are_dropped(seed, num, levels):
    rng = np.random.default_rng(seed)
    distances = random_matrix(rng, num, levels)
    sizes = rng.integers(1, 1000, num).astype(float)
    order = rng.permutation(num)
    groups = [sorted(pair) for pair in order[: num // 4 * 2].reshape(-1, 2).tolist()]
    pairs = np.array(sorted(groups)).T.copy()
    groups += [[single] for single in order[num // 4 * 2 : -1].tolist()]  # one goes
    groups.sort()
    expected = np.array([
        [mean_distance(distances, sizes, one, other) for other in groups]
        for one in groups
    ])
    np.fill_diagonal(distances, np.inf)
    parts = np.array([[group[0], group[-1]] for group in groups]).T.copy()
    shares = np.array([weights(sizes, group) for group in groups]).T.copy()
    pair_shares = sizes[pairs] / sizes[pairs].sum(axis=0)
    nearest = np.empty(len(groups), np.int64)
    left = parts[0].copy()
    merge_pairs(distances, parts, shares, pairs, pair_shares, left, num, nearest)
    found = distances[parts[0], : len(groups)]
    assert np.all(np.diagonal(found) == np.inf)
    assert np.array_equal(found, found.T)  # to the bit
    assert nearest.tolist() == literal_nearest(found)
    np.fill_diagonal(found, 0)
    np.fill_diagonal(expected, 0)
    assert np.allclose(found, expected, rtol=1e-6)


def weights(sizes, group):
    whole = sum(sizes[group])
    return sizes[group[0]] / whole, sizes[group[-1]] / whole


def mean_distance(distances, sizes, one, other):
    products = [sizes[i] * sizes[j] for i in one for j in other]
    values = [distances[i, j] for i in one for j in other]
    return np.dot(products, values) / sum(products)
