"""A part of each camera's recording time, to train on that only."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crosscam.data.faults import DataError

Window = tuple[float, float]

WHOLE: Window = (0.0, 1.0)


def in_window(train: pd.DataFrame, window: Window) -> NDArray[np.bool_]:
    """Return which training images lie in a window of their camera's recording time.

    Parameters
    ----------
    train
        Table with the columns camid, sequence, frame.
    window
        Part of the time: images at from ≤ t < to, and those at t = 1 if to = 1.

    Returns
    -------
    ndarray of shape (num_images,)

    Raises
    ------
    DataError
        If the window is not [0, 1] and an image has no frame number, or no image of
        some camera is kept.
    """
    if tuple(window) == WHOLE:
        return np.ones(len(train), dtype=np.bool_)
    start, stop = window
    if (train["frame"] < 0).any():
        raise DataError(
            "split.window: image names carry no frame numbers, so that their time is"
            f" unknown, got [{start:g}, {stop:g}]: only [0, 1] will do for this dataset"
        )
    time = recording_time(train)
    kept = (start <= time) & ((time < stop) | (stop >= 1))
    if lost := sorted(set(train["camid"]) - set(train["camid"][kept])):
        raise DataError(
            f"split.window: keeps no training image of the cameras {lost} (counted from"
            f" 0), got [{start:g}, {stop:g}]: widen it"
        )
    return kept


def recording_time(train: pd.DataFrame) -> NDArray[np.float64]:
    """Return when each image was taken, as a fraction of its camera's recording time.

    The sequences of a camera are laid end to end in the order of their numbers. A
    sequence lasts from the first to the last of its frames in `train`; what was
    recorded between two sequences is unknown and does not count.

    Parameters
    ----------
    train
        Table with the columns camid, sequence, frame.

    Returns
    -------
    ndarray of shape (num_images,)
        In [0, 1]; 0 for all images of a camera whose sequences have one frame each.
    """
    frames = train.groupby(["camid", "sequence"])["frame"]  # sorted by both
    first, length = frames.min(), frames.max() - frames.min()
    cameras = length.groupby("camid")
    before = cameras.cumsum() - length
    total = cameras.transform("sum").clip(lower=1)
    keys = pd.MultiIndex.from_frame(train[["camid", "sequence"]])
    passed = (before - first).reindex(keys).to_numpy() + train["frame"].to_numpy()
    return np.asarray(passed / total.reindex(keys).to_numpy(), dtype=np.float64)
