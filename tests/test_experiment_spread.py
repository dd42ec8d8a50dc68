"""Means, intervals and paired differences, by hand and beside scipy's tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crosscam.experiment.spread import Spread, SpreadError, difference, spread


def test_three_runs_by_hand() -> None:
    """Mean 4, deviations -2, 0, 2: sd = sqrt(8 / 2); t(0.975, 2) = 4.3027."""
    found = spread([2, 4, 6])
    assert (found.mean, found.sd, found.num) == (4, 2, 3)
    half = 4.302653 * 2 / math.sqrt(3)
    assert found.low == pytest.approx(4 - half)
    assert found.high == pytest.approx(4 + half)


def test_equal_runs_have_no_width() -> None:
    assert spread([0.5, 0.5]) == Spread(0.5, 0, 0.5, 0.5, 2)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_one_run_has_no_spread(values: list[float]) -> None:
    with pytest.raises(SpreadError, match=rf"at least 2 runs, got {len(values)}"):
        spread(values)


def test_the_difference_is_that_of_equal_seeds() -> None:
    """Each seed gains 1 ± 0.1, though seeds differ by 40 among themselves."""
    first = {1: 10.0, 2: 30.0, 3: 50.0, 9: 0.0}
    second = {3: 51.0, 1: 11.1, 2: 30.9, 8: 99.0}
    found = difference(first, second)
    assert found.spread.mean == pytest.approx(1)
    assert found.spread.num == 3
    assert found.resolved
    # Unpaired, nothing of it could be seen.
    assert stats.ttest_ind([10, 30, 50], [11.1, 30.9, 51]).pvalue > 0.9


def test_what_is_not_resolved_says_how_many_seeds_would_do() -> None:
    first = dict.fromkeys(range(4), 0.0)
    second = {0: 3.0, 1: -1.0, 2: 2.0, 3: 0.0}
    found = difference(first, second)
    assert not found.resolved
    needed = found.num_needed
    assert needed is not None

    def half(num: int) -> float:
        return float(stats.t.ppf(0.975, num - 1)) * found.spread.sd / math.sqrt(num)

    assert half(needed) < found.spread.mean <= half(needed - 1)


def test_equal_recipes_never_differ() -> None:
    found = difference({1: 0.5, 2: 0.7}, {1: 0.5, 2: 0.7})
    assert not found.resolved
    assert found.num_needed is None


def test_a_lower_second_recipe_is_resolved_as_well() -> None:
    assert difference({1: 1.0, 2: 2.0}, {1: 0.0, 2: 1.0}).resolved


def test_seeds_in_common_are_needed() -> None:
    with pytest.raises(SpreadError, match=r"got \[1, 2\] and \[2, 3\]: run both"):
        difference({1: 0.1, 2: 0.2}, {2: 0.1, 3: 0.1})


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), num=st.integers(2, 12))
def test_intervals_are_those_of_scipy(seed: int, num: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, num))
    found = spread(first.tolist())
    expected = stats.ttest_1samp(first, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    pairs = difference(dict(enumerate(first)), dict(enumerate(second)))
    test = stats.ttest_rel(second, first)
    assert pairs.resolved == (test.pvalue < 0.05)
    interval = test.confidence_interval(0.95)
    assert pairs.spread.low == pytest.approx(interval.low)
