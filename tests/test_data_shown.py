from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crosscam.data.shown import shown_rows


def test_identities_are_spread_evenly():
    pids = np.array([50, 10, 30, 20, 10, 40])
    # The first, the middle and the last of 10, 20, 30, 40, 50.
    assert shown_rows(pids, 3).tolist() == [0, 1, 2, 4]
    assert shown_rows(pids, 1).tolist() == [1, 4]
    assert shown_rows(pids, 2).tolist() == [0, 1, 4]


def test_junk_and_distractors_are_never_shown():
    assert shown_rows(np.array([-1, 0, 7, 0, -1, 8]), 9).tolist() == [2, 5]
    assert shown_rows(np.array([-1, 0]), 9).tolist() == []
    assert shown_rows(np.empty(0, int), 9).tolist() == []


@given(seed=st.integers(0, 2**32 - 1), num_pids=st.integers(1, 12))
def test_query_and_gallery_show_the_same_identities(seed, num_pids):
    rng = np.random.default_rng(seed)
    query = rng.permutation(np.arange(1, 9))
    gallery = np.concatenate([np.repeat(query, 2), [0, -1]])
    shown = set(query[shown_rows(query, num_pids)])
    assert set(gallery[shown_rows(gallery, num_pids)]) == shown
    assert len(shown) == min(num_pids, 8)
