from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest

from crosscam.kernel import set_threads
from crosscam.rank.evaluation import EvaluateParams, evaluate
from crosscam.rank.feature_set import FeatureSet
from tests.oracles import average_precision

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


@pytest.fixture(scope="module")
def much_alike():
    """Return images that float32 products put in another order than distances."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((4, 256))[rng.integers(0, 4, 90)]
    rows += 1e-6 * rng.standard_normal(rows.shape)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    pids, camids = rng.integers(1, 6, 90), rng.integers(0, 3, 90)
    return (
        FeatureSet(rows[:30], pids[:30], camids[:30]),
        FeatureSet(rows[30:], pids[30:], camids[30:]),
    )


def as_text(evaluation):
    return repr([
        evaluation.metrics,
        evaluation.cmc,
        evaluation.camera_pairs,
        [[np.asarray(part).tolist() for part in f] for f in evaluation.shortlists],
    ])


@pytest.mark.parametrize("num_threads", [1, 2])
def test_is_the_same_for_any_chunks_and_threads(much_alike, num_threads):
    expected = as_text(evaluate(*much_alike, PARAMS))
    before = numba.get_num_threads()
    try:
        set_threads(num_threads)
        for chunk_size in (1, 7, 30, 1000):
            params = replace(PARAMS, chunk_size=chunk_size)
            assert as_text(evaluate(*much_alike, params)) == expected
    finally:
        numba.set_num_threads(before)


def test_shortlists_are_of_the_same_distances(much_alike, monkeypatch):
    monkeypatch.setattr("crosscam.rank.evaluation.SHORTLIST_LENGTH", 1000)
    result = evaluate(*much_alike, replace(PARAMS, ranked_queries=1000))
    assert len(result.shortlists) == result.metrics["num_queries"]
    for found in result.shortlists:
        assert found.ap == pytest.approx(average_precision(found.is_match.tolist()))
