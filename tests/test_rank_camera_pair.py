from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.rank.camera_pair import camera_pairs
from crosscam.rank.match import Matches, match_distmat
from tests import oracles


def test_worked_example():
    # Queries 0 and 1 of camera 0 find their matches in camera 2, after one wrong image
    # there and at once; query 2 of camera 1 finds its in camera 0, after three.
    matches = Matches(
        query=np.array([0, 1, 2]),
        camid=np.array([2, 2, 0]),
        wrong=np.array([7, 7, 7]),
        wrong_in_camera=np.array([1, 0, 3]),
    )
    assert camera_pairs(matches, np.array([0, 0, 1])) == [
        {
            "query_camera": 1,
            "gallery_camera": 3,
            "mAP": 0.75,
            "rank1": 0.5,
            "num_queries": 2,
        },
        {
            "query_camera": 2,
            "gallery_camera": 1,
            "mAP": 0.25,
            "rank1": 0.0,
            "num_queries": 1,
        },
    ]


@given(seed=st.integers(0, 2**32 - 1))
def test_agrees_with_ranking_one_camera_by_itself(seed):
    rng = np.random.default_rng(seed)
    distmat = rng.integers(0, 20, (12, 40)).astype(np.float32)
    query_pids, query_camids = rng.integers(1, 5, 12), rng.integers(0, 3, 12)
    gallery_pids, gallery_camids = rng.integers(-1, 5, 40), rng.integers(0, 4, 40)
    matches = match_distmat(
        distmat, query_pids, query_camids, gallery_pids, gallery_camids
    )
    found = camera_pairs(matches, query_camids)
    expected = []
    for query_camid in range(3):
        for gallery_camid in range(4):
            columns = gallery_camids == gallery_camid
            rankings = [
                oracles.hits_of_query(
                    distmat[row, columns],
                    query_pids[row],
                    query_camid,
                    gallery_pids[columns],
                    gallery_camids[columns],
                )
                for row in np.flatnonzero(query_camids == query_camid)
            ]
            rankings = [hits for hits in rankings if any(hits)]
            if rankings:
                expected.append({
                    "query_camera": query_camid + 1,
                    "gallery_camera": gallery_camid + 1,
                    "mAP": np.mean([oracles.average_precision(h) for h in rankings]),
                    "rank1": np.mean([h[0] for h in rankings]),
                    "num_queries": len(rankings),
                })
    assert [list(pair) for pair in found] == [list(pair) for pair in expected]
    for pair, other in zip(found, expected, strict=True):
        assert list(pair.values()) == pytest.approx(list(other.values()))
        assert pair["query_camera"] != pair["gallery_camera"]
