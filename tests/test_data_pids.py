from __future__ import annotations

import numpy as np
import pandas as pd

from crosscam.data.pids import DISTRACTOR_PID, JUNK_PID, Counts, count, is_person


def test_junk_and_distractors_are_not_people() -> None:
    assert is_person(np.array([JUNK_PID, DISTRACTOR_PID, 1, 2])).tolist() == [
        False,
        False,
        True,
        True,
    ]


def test_counts_by_hand() -> None:
    table = pd.DataFrame({"pid": [-1, -1, 0, 4, 4, 9], "camid": [0, 1, 1, 1, 5, 5]})
    assert count(table) == Counts(6, 2, 3, 2, 1)


def test_counts_of_nothing() -> None:
    nothing = pd.DataFrame({"pid": [], "camid": []})
    assert count(nothing) == Counts(0, 0, 0, 0, 0)
