from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crosscam.rank.feature_set import (
    FeatureSet,
    RankingError,
    feature_set,
    some_of_both,
)


def rows(num_images):
    return np.eye(num_images, dtype=np.float32)


def test_takes_pids_and_camids_from_a_table():
    table = pd.DataFrame({"offset": [5, 6], "pid": [3, -1], "camid": [0, 4]})
    images = feature_set(rows(2), table)
    assert images.pids.tolist() == [3, -1]
    assert images.camids.tolist() == [0, 4]


def test_some_of_both_are_query_rows_then_gallery_rows():
    query = FeatureSet(rows(2), np.array([1, 2]), np.array([0, 1]))
    gallery = FeatureSet(rows(3)[:, :2][:2], np.array([3, 4]), np.array([2, 3]))
    some = some_of_both(query, gallery, np.array([1]), np.array([1, 0]))
    assert some.pids.tolist() == [2, 4, 3]
    assert some.camids.tolist() == [1, 3, 2]
    assert some.features.tolist() == [[0, 1], [0, 1], [1, 0]]


def test_shapes_must_agree():
    with pytest.raises(RankingError, match=r"shapes must be .* got \(\(2, 2\), \(3,\)"):
        FeatureSet(rows(2), np.ones(3, int), np.zeros(2, int))
    with pytest.raises(RankingError, match="shapes must be"):
        FeatureSet(rows(2)[0], np.ones(2, int), np.zeros(2, int))


@pytest.mark.parametrize("value", [0.0, 2.0, np.nan, np.inf])
def test_rows_must_be_of_length_one(value):
    features = rows(3)
    features[1, 1] = value
    with pytest.raises(RankingError, match=r"1 rows are not finite .* in row 1"):
        FeatureSet(features, np.ones(3, int), np.zeros(3, int))


def test_all_faults_at_once():
    with pytest.raises(RankingError) as caught:
        FeatureSet(2 * rows(2), np.array([1, -2]), np.array([-1, 0]))
    features, pids, camids = str(caught.value).splitlines()
    assert features.startswith("features: 2 rows")
    assert pids == "pids: must be at least -1, got -2"
    assert camids == "camids: must be at least 0, got -1"


def test_may_be_empty():
    empty = np.empty(0, int)
    assert len(FeatureSet(np.empty((0, 4), np.float32), empty, empty).pids) == 0


def test_features_must_be_floats():
    with pytest.raises(
        RankingError, match="features: must be numbers, got <U1: extract"
    ):
        FeatureSet(np.array([["a"]]), np.ones(1, int), np.zeros(1, int))


@pytest.mark.parametrize("wanted", [[2], [-1], [0.0]])
def test_there_must_be_such_rows(wanted):
    images = FeatureSet(rows(2), np.array([1, 2]), np.array([0, 1]))
    with pytest.raises(RankingError, match="shown rows: must be below 2, got "):
        some_of_both(images, images, np.array([0]), np.array(wanted))
