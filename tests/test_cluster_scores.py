from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster import scores as module
from crosscam.cluster.scores import (
    mixed_distances,
    mixing_weight,
    score_similarities,
)
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


@given(seed=seeds, num=st.integers(0, 9), num_cameras=st.integers(1, 4))
def test_is_the_sum_of_minima_over_that_of_maxima(seed, num, num_cameras):
    scores = random_scores(np.random.default_rng(seed), num, num_cameras)
    rows = scores.tolist()
    expected = [[oracles.jaccard_similarity(a, b) for b in rows] for a in rows]
    result = score_similarities(scores, num_cameras)
    assert result.shape == (num, num)
    assert result == pytest.approx(np.reshape(expected, (num, num)), abs=1e-6)


@given(seed=seeds, rows=st.integers(1, 9))
def test_symmetric_and_one_for_equal_scores(seed, rows):
    scores = random_scores(np.random.default_rng(seed), 8, 3)
    scores[5] = scores[2]
    whole = score_similarities(scores, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", rows)
        assert np.array_equal(score_similarities(scores, 3), whole)
    assert np.array_equal(whole, whole.T)
    assert np.array_equal(np.diagonal(whole), np.ones(8))
    assert whole[2, 5] == 1
    assert whole.min() >= 0
    assert whole.max() <= 1


def test_only_other_cameras_come_nearer():
    distances = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], np.float32)
    similarities = np.full((3, 3), 0.5, np.float32)
    mixed = mixed_distances(distances, similarities, np.array([0, 0, 1]), 0.02)
    assert mixed == pytest.approx(
        np.array([[0, 0.5, 0.49], [0.5, 0, 0.49], [0.49, 0.49, 0]])
    )


def test_a_near_duplicate_comes_no_nearer_than_the_image_itself():
    distances = np.array([[0, 0.01], [0.01, 0]], np.float32)
    mixed = mixed_distances(distances, np.ones((2, 2), np.float32), np.arange(2), 0.02)
    assert mixed.tolist() == [[0, 0], [0, 0]]


@given(seed=seeds, weight=st.floats(0, 1))
def test_mixing_never_adds(seed, weight):
    rng = np.random.default_rng(seed)
    distances, similarities = rng.random((2, 6, 6)).astype(np.float32)
    camids = rng.integers(0, 3, 6)
    mixed = mixed_distances(distances, similarities, camids, weight)
    within = camids[:, None] == camids[None]
    assert np.array_equal(mixed[within], distances[within])
    assert (mixed <= distances).all()
    assert mixed.min() >= 0
    assert mixed.dtype == np.float32


@pytest.mark.parametrize(
    ("round_", "expected"), [(0, 0.02), (20, 0.013195), (39, 0.002187)]
)
def test_mixing_weight_of_iics(round_, expected):
    # 0.02 · (1 - t/40)^0.6: at t = 20, 0.02 · 0.65975; at t = 39, 0.02 · 0.10933.
    assert mixing_weight(0.02, 0.6, round_, 40) == pytest.approx(expected, abs=5e-7)


def test_mixing_weight_without_decay():
    assert mixing_weight(0.02, 0.0, 39, 40) == 0.02
