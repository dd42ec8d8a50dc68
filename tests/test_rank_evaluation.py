from __future__ import annotations

import numpy as np
import pytest

from crosscam.rank.evaluation import EvaluateParams, evaluate
from crosscam.rank.feature_set import FeatureSet

PARAMS = EvaluateParams(
    seed=0, max_rank=3, bootstrap=10, ranked_queries=5, chunk_size=2
)


def images(degrees, pids, camids):
    angles = np.radians(degrees)
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return FeatureSet(features, np.array(pids), np.array(camids))


@pytest.fixture
def result():
    query = images([0, 90, 45], [1, 2, 3], [0, 0, 0])
    gallery = images([10, 20, 80, 15], [1, 2, 2, -1], [1, 1, 2, 1])
    return evaluate(query, gallery, PARAMS)


def test_counts_and_metrics(result):
    # Query 0 sees pids 1, 2, 2 and query 1 sees 2, 2, 1; query 2 has no match.
    assert result.metrics["num_queries"] == 2
    assert result.metrics["queries_without_match"] == 1
    assert result.metrics["gallery_junk"] == 1
    assert result.metrics["mAP"] == 1
    assert result.metrics["rank1"] == 1


def test_records(result):
    assert result.cmc == [{"rank": rank, "cmc": 1.0} for rank in (1, 2, 3)]
    pairs = [(p["query_camera"], p["gallery_camera"]) for p in result.camera_pairs]
    assert pairs == [(1, 2), (1, 3)]


def test_shortlists_of_the_scored_queries(result):
    assert [found.query for found in result.shortlists] == [0, 1]
    assert [found.gallery.tolist() for found in result.shortlists] == [
        [0, 1, 2],
        [2, 1, 0],
    ]
