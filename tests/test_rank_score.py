from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from crosscam.rank.score import score
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def score_hits(*rankings):
    """Score rankings given as lists of right and wrong."""
    group, wrong = [], []
    for number, hits in enumerate(rankings):
        places = np.flatnonzero(hits)
        group += [number] * len(places)
        wrong += (places - np.arange(len(places))).tolist()
    return score(np.array(group, np.int64), np.array(wrong, np.int64))


def random_hits(seed, num_rankings=3):
    rng = np.random.default_rng(seed)
    rankings = [rng.random(rng.integers(1, 60)) < 0.2 for _ in range(num_rankings)]
    for hits in rankings:
        hits[rng.integers(len(hits))] = True
    return rankings


def test_worked_example_of_docs_metrics():
    # Right images at ranks 2, 3 and 6 of 7.
    scores = score_hits([0, 1, 1, 0, 0, 1, 0])
    assert scores.ap[0] == pytest.approx((1 / 2 + 2 / 3 + 3 / 6) / 3)
    assert scores.ap_trapezoid[0] == pytest.approx(
        ((0 / 1 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2 + (2 / 5 + 3 / 6) / 2) / 3
    )
    assert scores.ap[0] == pytest.approx(0.5556, abs=5e-5)
    assert scores.ap_trapezoid[0] == pytest.approx(0.4278, abs=5e-5)
    assert scores.inp[0] == 3 / 6
    assert scores.first[0] == 2


def test_the_two_definitions_differ():
    scores = score_hits([0, 1, 0, 1])
    assert scores.ap[0] == 0.5
    assert scores.ap_trapezoid[0] == pytest.approx(1 / 3)


def test_inp_may_exceed_ap():
    scores = score_hits([0] * 9 + [1, 1])
    assert scores.ap[0] == pytest.approx(0.141, abs=5e-4)
    assert scores.inp[0] == pytest.approx(0.182, abs=5e-4)


def test_all_right_first_is_perfect():
    scores = score_hits([1, 1, 1, 0, 0])
    assert [scores.ap[0], scores.ap_trapezoid[0], scores.inp[0]] == [1, 1, 1]


def test_groups_come_back_in_order_whatever_the_order_of_rows():
    scores = score(np.array([7, 2, 7, 2]), np.array([4, 0, 1, 0]))
    assert scores.group.tolist() == [2, 7]
    assert scores.first.tolist() == [1, 2]
    assert scores.inp.tolist() == [1, 2 / 6]


def test_nothing_to_score():
    empty = np.empty(0, np.int64)
    assert [len(column) for column in score(empty, empty)] == [0] * 5


@given(seed=seeds)
def test_agrees_with_the_definitions(seed):
    rankings = random_hits(seed)
    scores = score_hits(*rankings)
    for number, hits in enumerate(rankings):
        found = [column[number] for column in scores]
        expected = [
            number,
            oracles.average_precision(hits),
            oracles.average_precision_trapezoid(hits),
            oracles.inverse_negative_penalty(hits),
            oracles.first_match(hits),
        ]
        assert found == pytest.approx(expected, abs=1e-12)


@given(seed=seeds)
def test_ap_agrees_with_scikit_learn_where_there_are_no_ties(seed):
    (hits,) = random_hits(seed, num_rankings=1)
    expected = average_precision_score(hits, -np.arange(len(hits)))
    assert score_hits(hits).ap[0] == pytest.approx(expected, abs=1e-12)


@given(seed=seeds)
def test_one_more_wrong_image_before_a_match_lowers_every_score(seed):
    (hits,) = random_hits(seed, num_rankings=1)
    good, bad = score_hits(hits), score_hits([False, *hits])
    assert bad.ap < good.ap
    assert bad.ap_trapezoid < good.ap_trapezoid
    assert bad.inp < good.inp
    assert bad.first == good.first + 1
