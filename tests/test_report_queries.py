from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crosscam.rank.score import score
from crosscam.rank.summary import summarise
from crosscam.report.queries import chosen_queries, metric_intervals


def test_best_middle_and_worst_of_nine():
    ap = np.array([0.9, 0.1, 0.5, 0.8, 0.2, 0.6, 0.7, 0.3, 0.4])
    chosen = chosen_queries(ap, np.arange(9), 2)
    assert chosen.best == [0, 3]  # 0.9, 0.8
    assert chosen.worst == [4, 1]  # 0.2, 0.1
    assert chosen.median == [5, 2]  # 0.6 and 0.5, the middle


def test_an_identity_is_shown_once_in_a_group():
    ap = np.array([1.0, 0.9, 0.8, 0.2, 0.1, 0.0])
    pids = np.array([1, 1, 2, 3, 4, 4])
    chosen = chosen_queries(ap, pids, 2)
    assert chosen.best == [0, 2]
    assert chosen.worst == [3, 5]
    assert chosen.median == [1, 4]


def test_equal_scores_keep_the_order_of_the_rows():
    chosen = chosen_queries(np.ones(3), np.arange(3), 1)
    assert (chosen.best, chosen.median, chosen.worst) == ([0], [1], [2])


def test_too_few_queries_leave_groups_empty():
    assert chosen_queries(np.ones(0), np.ones(0, int), 2) == ([], [], [])
    assert chosen_queries(np.ones(1), np.ones(1, int), 2) == ([0], [], [])
    assert chosen_queries(np.ones(2), np.arange(2), 1) == ([0], [], [1])


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 6))
def test_groups_are_ordered_and_share_no_query(seed, num_scored, num):
    rng = np.random.default_rng(seed)
    ap = rng.integers(0, 9, num_scored) / 8
    pids = rng.integers(1, 12, num_scored)
    chosen = chosen_queries(ap, pids, num)
    every = [place for group in chosen for place in group]
    assert len(every) == len(set(every))
    for group in chosen:
        assert len(group) <= num
        assert len({pids[place] for place in group}) == len(group)
        assert list(ap[group]) == sorted(ap[group], reverse=True)
    assert ap[chosen.best[0]] == ap.max()
    if chosen.worst:
        left = np.delete(ap, chosen.best)
        assert ap[chosen.worst[-1]] == left.min()


def test_intervals_are_those_of_the_stage_and_hold_their_metric():
    rng = np.random.default_rng(0)
    scores = score(np.repeat(np.arange(40), 3), rng.integers(0, 30, 120))
    intervals = metric_intervals(scores, 200, seed=3)
    stage = summarise(scores, 200, 3)
    for name in ("mAP", "rank1"):
        assert intervals[name] == (stage[f"{name}_low"], stage[f"{name}_high"])
    for name, (low, high) in intervals.items():
        assert low <= stage[name] <= high
    assert intervals.keys() == {name for name in stage if "_low" not in name} - {
        *("mAP_high", "rank1_high"),
    }
