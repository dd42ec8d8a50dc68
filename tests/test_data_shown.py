from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crosscam.data.shown import shown_pids


def test_identities_are_spread_evenly():
    pids = np.array([50, 10, 30, 20, 10, 40])
    # The first, the middle and the last of 10, 20, 30, 40, 50.
    assert shown_pids(pids, 3).tolist() == [10, 30, 50]
    assert shown_pids(pids, 1).tolist() == [10]
    assert shown_pids(pids, 2).tolist() == [10, 50]


def test_junk_and_distractors_are_never_shown():
    assert shown_pids(np.array([-1, 0, 7, 0, -1, 8]), 9).tolist() == [7, 8]
    assert shown_pids(np.array([-1, 0]), 9).tolist() == []
    assert shown_pids(np.empty(0, int), 9).tolist() == []


@given(seed=st.integers(0, 2**32 - 1), num_pids=st.integers(1, 12))
def test_as_many_as_asked_for_each_once_from_the_first_on(seed, num_pids):
    pids = np.random.default_rng(seed).integers(1, 9, 20)
    known = sorted({*pids.tolist()})
    shown = shown_pids(pids, num_pids).tolist()
    assert len({*shown}) == len(shown) == min(num_pids, len(known))
    assert {*shown} <= {*known}
    assert shown[0] == known[0]
