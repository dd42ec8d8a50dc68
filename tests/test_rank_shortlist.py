from __future__ import annotations

import numpy as np
import pytest

from crosscam.rank.feature_set import FeatureSet
from crosscam.rank.match import match_features
from crosscam.rank.score import score
from crosscam.rank.shortlist import shortlist, spread_queries


def on_the_circle(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.fixture
def images():
    query = FeatureSet(on_the_circle(90, 0), np.array([9, 1]), np.array([0, 0]))
    gallery = FeatureSet(
        on_the_circle(30, 20, 10, 20, 5, 0),
        np.array([1, 1, 2, 3, -1, 1]),
        np.array([1, 2, 1, 1, 1, 0]),
    )
    matches = match_features(query, gallery, 8)
    return query, gallery, score(matches.query, matches.wrong)


def test_junk_and_own_camera_left_out_and_wrong_before_right_in_a_tie(images):
    found = shortlist(*images, place=0, length=10)
    assert found.query == 1  # query 0 has no match and no scores
    assert found.gallery.tolist() == [2, 3, 1, 0]
    assert found.is_match.tolist() == [False, False, True, True]
    expected = 1 - np.cos(np.radians([10, 20, 20, 30]))
    assert found.distances == pytest.approx(expected, abs=2e-7)
    assert found.ap == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_is_cut_to_length(images):
    assert shortlist(*images, place=0, length=3).gallery.tolist() == [2, 3, 1]


def test_spread_from_best_to_worst():
    ap = np.array([0.2, 0.9, 0.5, 0.1, 0.7])
    assert spread_queries(ap, 1) == [1]
    assert spread_queries(ap, 2) == [1, 3]
    assert spread_queries(ap, 3) == [1, 2, 3]
    assert spread_queries(ap, 99) == [1, 4, 2, 0, 3]


def test_equal_queries_come_in_order():
    assert spread_queries(np.full(4, 0.5), 4) == [0, 1, 2, 3]
