from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest

from crosscam.cluster.jaccard import RerankParams
from crosscam.kernel import set_threads
from crosscam.rank.evaluation import EvaluateParams, evaluate
from crosscam.rank.feature_set import FeatureSet
from crosscam.rank.rerank import reranked_distmat
from crosscam.room import RoomError
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


RERANK = RerankParams(k1=2, k2=1, lambda_=0.5)


def with_decoy(junk):
    """Return a query, its match, and a wrong image that is nearer but by itself.

    On the circle the query stands at 0°, its two matches at 10° and 12°, the wrong
    image at -8° with two of its own identity at -14° and -15°: k-reciprocal sets of two
    neighbours hold the first three together, and the last three.
    """
    query = images([0], [1], [0])
    gallery = images(
        [10, 12, -8, -14, -15, *junk],
        [1, 1, 2, 2, 2, *[-1] * len(junk)],
        [1] * 5 + junk,
    )
    return query, gallery


def test_re_ranking_brings_a_match_before_a_nearer_image():
    metrics = evaluate(*with_decoy([]), replace(PARAMS, rerank=RERANK)).metrics
    assert metrics["rank1"] == 0
    assert metrics["rank1_reranked"] == 1


def test_re_ranked_metrics_are_those_of_re_ranked_distances():
    query, gallery = with_decoy([])
    metrics = evaluate(query, gallery, replace(PARAMS, rerank=RERANK)).metrics
    plain = evaluate(query, gallery, PARAMS).metrics
    distmat = reranked_distmat(query.features, gallery.features, RERANK)
    order = np.argsort(distmat[0], kind="stable")
    right = (gallery.pids[order] == 1).tolist()
    assert metrics["mAP_reranked"] == pytest.approx(average_precision(right))
    assert {name: metrics[name] for name in plain} == plain
    counts = {"num_queries", "queries_without_match", "gallery_junk"}
    assert {*metrics} - {*plain} == {f"{n}_reranked" for n in {*plain} - counts}


def test_junk_is_no_neighbour():
    clean = evaluate(*with_decoy([]), replace(PARAMS, rerank=RERANK)).metrics
    junk = evaluate(*with_decoy([1, 2, 3]), replace(PARAMS, rerank=RERANK)).metrics
    assert junk == clean | {"gallery_junk": 3}


def test_no_memory_to_re_rank(monkeypatch):
    monkeypatch.setattr("crosscam.room.available_memory", lambda _: 100)
    with pytest.raises(
        RoomError, match=r"1 queries to 5 images .*: set evaluate\.rerank to null"
    ):
        evaluate(*with_decoy([]), replace(PARAMS, rerank=RERANK))


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
    reranked = replace(PARAMS, rerank=RERANK)
    expected = as_text(evaluate(*much_alike, reranked))
    before = numba.get_num_threads()
    try:
        set_threads(num_threads)
        for chunk_size in (1, 7, 30, 1000):
            params = replace(reranked, chunk_size=chunk_size)
            assert as_text(evaluate(*much_alike, params)) == expected
    finally:
        numba.set_num_threads(before)


def test_shortlists_are_of_the_same_distances(much_alike, monkeypatch):
    monkeypatch.setattr("crosscam.rank.evaluation.SHORTLIST_LENGTH", 1000)
    result = evaluate(*much_alike, replace(PARAMS, ranked_queries=1000))
    assert len(result.shortlists) == result.metrics["num_queries"]
    for found in result.shortlists:
        assert found.ap == pytest.approx(average_precision(found.is_match.tolist()))
