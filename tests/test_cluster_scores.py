from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster.scores import (
    BLOCK,
    mix_scores_into,
    mixing_weight,
    score_similarities,
)
from crosscam.kernel import set_threads
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def random_scores(rng, num, num_cameras, num_classes=3):
    parts = rng.random((num_cameras, num, num_classes)) ** 4
    parts /= parts.sum(axis=2, keepdims=True)
    return np.concatenate(list(parts), axis=1).astype(np.float32)


def test_one_camera_by_hand():
    scores = np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32)
    # Of the first and third: minima 0.5 + 0, maxima 1 + 0.5.
    third = np.float32(1 / 3)
    expected = [[1, 0, third], [0, 1, third], [third, third, 1]]
    assert score_similarities(scores, 1).tolist() == expected


def test_two_cameras_by_hand():
    scores = np.array([[1, 0, 1, 0], [1, 0, 0, 1]], np.float32)
    # One head agrees, one does not: minima 1, maxima 3.
    assert score_similarities(scores, 2)[0, 1] == pytest.approx(1 / 3)


def exact_similarities(scores):
    rows = [[Fraction(score) for score in row] for row in scores.tolist()]
    exact = [[float(oracles.jaccard_similarity(a, b)) for b in rows] for a in rows]
    return np.reshape(exact, (len(rows), len(rows)))


def float64_similarities(scores):
    minima = np.minimum(scores[:, None], scores).sum(axis=2, dtype=np.float64)
    maxima = np.maximum(scores[:, None], scores).sum(axis=2, dtype=np.float64)
    return minima / maxima


@given(seed=seeds, num=st.integers(0, 9), num_cameras=st.integers(1, 4))
def test_is_the_sum_of_minima_over_that_of_maxima(seed, num, num_cameras):
    scores = random_scores(np.random.default_rng(seed), num, num_cameras)
    result = score_similarities(scores, num_cameras)
    assert result.shape == (num, num)
    assert result.dtype == np.float32
    assert result == pytest.approx(exact_similarities(scores), abs=6e-8)


def special_scores():
    """Return rows of two heads with four classes: each alone is simple."""
    eye, even = np.eye(4), np.full(4, 1 / 4)
    heads = [eye[0], eye[1], even, [1 / 2, 1 / 2, 0, 0], [0, 0, 1 / 3, 2 / 3]]
    rows = [[*first, *second] for first in heads for second in heads]
    return np.array([*rows, rows[0], rows[-1]], np.float32)


def test_one_hot_uniform_disjoint_and_equal_rows():
    scores = special_scores()
    result = score_similarities(scores, 2)
    assert result == pytest.approx(exact_similarities(scores), abs=6e-8)
    equal = (scores[:, None] == scores).all(axis=2)
    disjoint = np.minimum(scores[:, None], scores).sum(axis=2) == 0
    assert np.array_equal(result == 1, equal)
    assert np.array_equal(result == 0, disjoint)


@pytest.mark.parametrize("num", [0, 1, 2, 17, BLOCK, BLOCK + 1, 2 * BLOCK + 5])
@pytest.mark.parametrize("num_classes", [1, 7, 8, 35])
def test_sizes_that_fill_no_block(num, num_classes):
    scores = random_scores(np.random.default_rng(num), num, 3, num_classes)
    expected = float64_similarities(scores)
    assert score_similarities(scores, 3) == pytest.approx(expected, abs=6e-8)


def test_many_classes_take_no_precision():
    # Rows that are even where they are not 0. Sums in float32 gather the rounding of
    # equal steps: they are 5e-5 away, or 4e-6 with eight sums side by side.
    scores = random_scores(np.random.default_rng(0), 40, 6, 600)
    for row, (period, kept) in enumerate([(1, 1), (2, 1), (3, 2), (600, 599), (7, 3)]):
        inside = np.arange(3600) % period < kept
        scores[row] = 6 * inside / inside.sum()
    result = score_similarities(scores, 6)
    assert result == pytest.approx(float64_similarities(scores), abs=4e-7)


def test_no_sum_wraps_around():
    # As far from the number of cameras as a row may be.
    scores = special_scores() * np.float32(1.00099)
    scores = np.tile(scores, 4)
    expected = score_similarities(special_scores(), 2)
    assert score_similarities(scores, 8) == pytest.approx(expected, abs=1e-7)


@given(seed=seeds)
def test_symmetric_and_one_for_equal_scores(seed):
    scores = random_scores(np.random.default_rng(seed), 8, 3)
    scores[5] = scores[2]
    whole = score_similarities(scores, 3)
    assert np.array_equal(whole, whole.T)
    assert np.array_equal(np.diagonal(whole), np.ones(8))
    assert whole[2, 5] == 1
    assert whole.min() >= 0
    assert whole.max() <= 1


def test_neither_order_nor_company_nor_threads_matter():
    rng = np.random.default_rng(0)
    scores = random_scores(rng, 2 * BLOCK + 9, 3, 11)
    whole = score_similarities(scores, 3)
    order = rng.permutation(len(scores))
    some = order[: BLOCK + 5]
    part = score_similarities(scores[some], 3)
    assert np.array_equal(part, whole[np.ix_(some, some)])
    classes = rng.permutation(scores.shape[1])
    before = numba.get_num_threads()
    try:
        for num_threads in (1, 2):
            set_threads(num_threads)
            mixed = score_similarities(scores[np.ix_(order, classes)], 3)
            assert np.array_equal(mixed, whole[np.ix_(order, order)])
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize(
    ("value", "message"),
    [(0.5, "sums to 2.5, not to 3"), (np.nan, "sums to nan, not to 3")],
)
def test_rows_must_sum_to_the_number_of_cameras(value, message):
    scores = np.ones((3, 3), np.float32)
    scores[1, 2] = value
    with pytest.raises(ValueError, match=f"a row of scores {message}"):
        score_similarities(scores, 3)


def test_only_other_cameras_come_nearer():
    distances = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], np.float32)
    # The minima of the last with the others are 2/3, the maxima 4/3.
    scores = np.array([[1, 0], [1, 0], [2 / 3, 1 / 3]], np.float32)
    mix_scores_into(distances, scores, np.array([0, 0, 1]), 1, 0.02)
    assert distances == pytest.approx(
        np.array([[0, 0.5, 0.49], [0.5, 0, 0.49], [0.49, 0.49, 0]])
    )


def test_a_near_duplicate_comes_no_nearer_than_the_image_itself():
    distances = np.array([[0, 0.01], [0.01, 0]], np.float32)
    mix_scores_into(distances, np.ones((2, 1), np.float32), np.arange(2), 1, 0.02)
    assert distances.tolist() == [[0, 0], [0, 0]]


@given(seed=seeds, num=st.integers(0, BLOCK + 9), weight=st.floats(0, 1))
def test_mixing_lowers_what_is_across_cameras(seed, num, weight):
    rng = np.random.default_rng(seed)
    distances = rng.random((num, num), np.float32)  # each of its own, on both sides
    scores, camids = random_scores(rng, num, 2), rng.integers(0, 3, num)
    similarities = score_similarities(scores, 2)
    across = camids[:, None] != camids
    lower = np.maximum(distances - np.float32(weight) * similarities, 0)
    expected = np.where(across, lower, distances)
    mix_scores_into(distances, scores, camids, 2, weight)
    assert np.array_equal(distances, expected)


def test_mixing_holds_no_matrix():
    num = 20 * BLOCK
    distances = np.ones((num, num), np.float32)
    scores, camids = np.ones((num, 1), np.float32), np.arange(num)
    mix_scores_into(distances[:2, :2].copy(), scores[:2], camids[:2], 1, 0.1)
    tracemalloc.start()
    mix_scores_into(distances, scores, camids, 1, 0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert distances[0, -1] == np.float32(0.9)
    assert peak < distances.nbytes / 50


@pytest.mark.parametrize(
    ("round_", "expected"), [(0, 0.02), (20, 0.013195), (39, 0.002187)]
)
def test_mixing_weight_of_iics(round_, expected):
    # 0.02 · (1 - t/40)^0.6: at t = 20, 0.02 · 0.65975; at t = 39, 0.02 · 0.10933.
    assert mixing_weight(0.02, 0.6, round_, 40) == pytest.approx(expected, abs=5e-7)


def test_mixing_weight_without_decay():
    assert mixing_weight(0.02, 0.0, 39, 40) == 0.02
