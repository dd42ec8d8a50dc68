"""Which identity numbers stand for people, and how many images there are of what."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

JUNK_PID = -1  # a poor box of somebody: never a right answer, never a wrong one
DISTRACTOR_PID = 0  # somebody or something else: always a wrong answer


class Counts(NamedTuple):
    """How many images a subset has, and of what.

    Parameters
    ----------
    images
        All images, junk and distractors among them.
    identities
        Different pids, junk and distractors not counted.
    cameras
        Different cameras.
    junk, distractors
        Images whose pid is `JUNK_PID`, `DISTRACTOR_PID`.
    """

    images: int
    identities: int
    cameras: int
    junk: int
    distractors: int


def is_person(pids: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pids are identities: neither junk nor distractors.

    Parameters
    ----------
    pids
        Array of any shape; the result has the same.
    """
    return np.asarray((pids != JUNK_PID) & (pids != DISTRACTOR_PID))


def count(table: pd.DataFrame) -> Counts:
    """Return the counts of one subset; all zero when it is empty.

    Parameters
    ----------
    table
        With the columns pid and camid, a row per image.
    """
    pids = table["pid"].to_numpy()
    return Counts(
        images=len(table),
        identities=len(np.unique(pids[is_person(pids)])),
        cameras=table["camid"].nunique(),
        junk=int(np.sum(pids == JUNK_PID)),
        distractors=int(np.sum(pids == DISTRACTOR_PID)),
    )
