"""The numbers that papers print: CMC, mAP, mINP."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crosscam.rank.bootstrap import bootstrap_interval
from crosscam.rank.score import Scores

REPORTED_RANKS = (1, 5, 10, 20)


def cmc_curve(first: NDArray[np.int64], max_rank: int) -> NDArray[np.float64]:
    """Return the cumulative matching characteristic.

    Parameters
    ----------
    first
        Shape (num_queries,), rank of each query's first true match, from 1; at least
        one query.
    max_rank
        Length of the curve.

    Returns
    -------
    ndarray of shape (max_rank,)
        ``curve[k - 1]`` is rank-k: the fraction of queries with a true match among
        the k nearest images. It never falls.
    """
    found = np.bincount(np.minimum(first, max_rank + 1), minlength=max_rank + 2)
    curve: NDArray[np.float64] = np.cumsum(found[1:-1]) / len(first)
    return curve


def summarise(scores: Scores, num_resamples: int, seed: int) -> dict[str, float]:
    """Return means over the queries with bootstrap intervals.

    Parameters
    ----------
    scores
        One row per query that has a true match; at least one.
    num_resamples, seed
        Of the intervals of mAP and rank-1, see `bootstrap_interval`.

    Returns
    -------
    dict of str to float
        ``mAP``, ``mAP_trapezoid``, ``mINP``, ``rank1``, ``rank5``, ``rank10``,
        ``rank20``, and ``mAP_low``, ``mAP_high``, ``rank1_low``, ``rank1_high``;
        fractions in [0, 1].
    """
    curve = cmc_curve(scores.first, max(REPORTED_RANKS))
    hit = (scores.first == 1).astype(np.float64)
    mAP_interval = bootstrap_interval(scores.ap, num_resamples, seed)
    rank1_interval = bootstrap_interval(hit, num_resamples, seed)
    return {
        "mAP": float(scores.ap.mean()),
        "mAP_trapezoid": float(scores.ap_trapezoid.mean()),
        "mINP": float(scores.inp.mean()),
        **{f"rank{k}": float(curve[k - 1]) for k in REPORTED_RANKS},
        "mAP_low": mAP_interval.low,
        "mAP_high": mAP_interval.high,
        "rank1_low": rank1_interval.low,
        "rank1_high": rank1_interval.high,
    }
