from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.rank.score import score
from crosscam.rank.summary import cmc_curve, summarise


def test_cmc_of_first_matches_at_ranks_1_1_3_and_9():
    curve = cmc_curve(np.array([1, 9, 3, 1]), max_rank=5)
    assert curve.tolist() == [0.5, 0.5, 0.75, 0.75, 0.75]


@given(seed=st.integers(0, 2**32 - 1), max_rank=st.integers(1, 30))
def test_cmc_counts_never_falls_and_ends_at_one(seed, max_rank):
    first = np.random.default_rng(seed).integers(1, 30, 25)
    curve = cmc_curve(first, max_rank)
    assert curve == pytest.approx([np.mean(first <= k + 1) for k in range(max_rank)])
    assert np.all(np.diff(curve) >= 0)
    assert cmc_curve(first, 30)[-1] == 1


def test_summary_of_two_queries():
    # Query 0: right at rank 1. Query 1: right at ranks 6 and 8, after 5 and 6 wrong.
    scores = score(np.array([0, 1, 1]), np.array([0, 5, 6]))
    summary = summarise(scores, num_resamples=20, seed=0)
    ap = (1 / 6 + 2 / 8) / 2
    trapezoid = ((0 / 5 + 1 / 6) / 2 + (1 / 7 + 2 / 8) / 2) / 2
    assert summary["mAP"] == pytest.approx((1 + ap) / 2)
    assert summary["mAP_trapezoid"] == pytest.approx((1 + trapezoid) / 2)
    assert summary["mINP"] == pytest.approx((1 + 2 / 8) / 2)
    ranks = [summary[f"rank{k}"] for k in (1, 5, 10, 20)]
    assert ranks == [0.5, 0.5, 1, 1]
    assert summary["mAP_low"] <= summary["mAP"] <= summary["mAP_high"]
    assert summary["rank1_low"] <= summary["rank1"] <= summary["rank1_high"]
