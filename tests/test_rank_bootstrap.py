from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.rank.bootstrap import bootstrap_interval


def test_equal_values_leave_no_doubt():
    assert bootstrap_interval(np.full(9, 0.25), 50, seed=0) == (0.25, 0.25)


def test_of_a_coin_is_near_the_normal_interval():
    values = np.repeat([0.0, 1.0], 200)
    low, high = bootstrap_interval(values, 4000, seed=0)
    half_width = 1.96 * 0.5 / np.sqrt(400)  # 0.049
    assert low == pytest.approx(0.5 - half_width, abs=0.005)
    assert high == pytest.approx(0.5 + half_width, abs=0.005)


@given(seed=st.integers(0, 2**32 - 1))
def test_lies_within_the_values_and_repeats(seed):
    values = np.random.default_rng(seed).random(20)
    interval = bootstrap_interval(values, 40, seed)
    assert values.min() <= interval.low <= interval.high <= values.max()
    assert bootstrap_interval(values, 40, seed) == interval
    assert bootstrap_interval(values, 40, (seed + 1) % 2**32) != interval


def test_a_shift_of_the_values_shifts_the_interval():
    values = np.random.default_rng(0).random(30)
    low, high = bootstrap_interval(values, 100, seed=3)
    shifted = bootstrap_interval(values + 1, 100, seed=3)
    assert shifted == pytest.approx((low + 1, high + 1))
