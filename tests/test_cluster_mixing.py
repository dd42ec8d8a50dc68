from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from crosscam.cluster.mixing import mix_all, mix_rows
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def sparse_rows(rows):
    return sparse.csr_array(np.array(rows, np.float32))


def test_half_of_two_vectors_is_shared():
    # Σ min = 2/3 and Σ max = 4/3; the distance 3 is 1 of 3 and 1 of 6.
    vectors = sparse_rows([[2 / 3, 1 / 3], [1 / 3, 2 / 3]])
    largest = np.array([3, 6], np.float32)
    distances = np.array([[0, 3], [3, 0]], np.float32)
    mix_all(distances, largest, vectors, 1, 0.5)
    expected = 0.5 * 0.5 + 0.5 * (1 + 1 / 2) / 2
    assert distances == pytest.approx(np.array([[0, expected], [expected, 0]]))


def test_rows_are_mixed_in_one_direction():
    vectors = sparse_rows([[2 / 3, 1 / 3], [1 / 3, 2 / 3]])
    distances = np.array([[3]], np.float32)
    mix_rows(distances, np.array([6, 3], np.float32), vectors, 1, 0.5)
    assert distances == pytest.approx(np.array([[0.5 * 0.5 + 0.5 * 1 / 2]]))


def test_vectors_may_be_sums():
    vectors = sparse_rows([[4, 2, 0], [2, 2, 2], [0, 0, 6]])
    distances = np.zeros((3, 3), np.float32)
    mix_all(distances, np.ones(3, np.float32), vectors, 6, 0.0)
    expected = [[0, 1 - 4 / 8, 1], [1 - 4 / 8, 0, 1 - 2 / 10], [1, 1 - 2 / 10, 0]]
    assert distances == pytest.approx(np.array(expected), abs=1e-6)


@given(seed=seeds, num=st.integers(1, 12), num_rows=st.integers(1, 12))
def test_agrees_with_the_definition(seed, num, num_rows):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 3, (num, num)) + np.eye(num, dtype=int)
    vectors = rows / rows.sum(axis=1, keepdims=True)
    expected = np.array([
        [1 - oracles.jaccard_similarity(a, b) for b in vectors] for a in vectors
    ])
    ones = np.ones(num, np.float32)
    distances = np.zeros((num, num), np.float32)
    mix_all(distances, ones, sparse_rows(vectors), 1, 0.0)
    assert distances == pytest.approx(expected, abs=1e-6)
    # The first rows to the last columns, which the diagonal may cross.
    first, last = min(num_rows, num), int(rng.integers(0, num))
    part = np.zeros((first, num - last), np.float32)
    mix_rows(part, ones, sparse_rows(vectors), 1, 0.0)
    assert part == pytest.approx(expected[:first, last:], abs=1e-6)
