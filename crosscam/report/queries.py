"""The queries that a report shows, and intervals of all its metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crosscam.rank.bootstrap import Interval, bootstrap_interval
from crosscam.rank.score import Scores
from crosscam.rank.summary import REPORTED_RANKS


class Chosen(NamedTuple):
    """Places in an array of scores, best first within each group.

    Attributes
    ----------
    best, median, worst
        Of the highest, middle and lowest AP.
    """

    best: list[int]
    median: list[int]
    worst: list[int]


def chosen_queries(
    ap: NDArray[np.float64], pids: NDArray[np.integer[Any]], num: int
) -> Chosen:
    """Choose the best, median and worst queries by their average precision.

    Within a group every identity is shown once: its queries are much alike.

    Parameters
    ----------
    ap
        Shape (num_scored,), average precision of each query.
    pids
        Shape (num_scored,), identity of each.
    num
        Queries wanted in each group.

    Returns
    -------
    Chosen
        No query is in two groups; where there are too few of them, the worst and then
        the median group have fewer. Where AP is equal, lower places come first.
    """
    ranked = np.argsort(-ap, kind="stable").tolist()
    best = _of_distinct_pids(ranked, pids, num)
    rest = [place for place in ranked if place not in best]
    worst = _of_distinct_pids(rest[::-1], pids, num)[::-1]
    position = {place: number for number, place in enumerate(ranked)}
    middle = (len(ranked) - 1) / 2
    near = sorted(rest, key=lambda place: abs(position[place] - middle))
    median = _of_distinct_pids((p for p in near if p not in worst), pids, num)
    return Chosen(best, sorted(median, key=ranked.index), worst)


def _of_distinct_pids(
    places: Iterable[int], pids: NDArray[np.integer[Any]], num: int
) -> list[int]:
    first: dict[int, int] = {}
    for place in places:
        if len(first) == num:
            break
        first.setdefault(int(pids[place]), place)
    return list(first.values())


def metric_intervals(
    scores: Scores, num_resamples: int, seed: int
) -> dict[str, Interval]:
    """Return the 95 % bootstrap interval of every metric, by its name.

    Parameters
    ----------
    scores
        One row per query that has a true match; at least one.
    num_resamples, seed
        See `crosscam.rank.bootstrap.bootstrap_interval`; with those of the stage
        evaluate, the intervals of mAP and rank-1 are the same as there.
    """
    values = {
        "mAP": scores.ap,
        "mAP_trapezoid": scores.ap_trapezoid,
        "mINP": scores.inp,
        **{f"rank{k}": (scores.first <= k).astype(float) for k in REPORTED_RANKS},
    }
    return {
        name: bootstrap_interval(per_query, num_resamples, seed)
        for name, per_query in values.items()
    }
