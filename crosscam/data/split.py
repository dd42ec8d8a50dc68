"""Split the index of images into what each later stage may see.

The training table has no identity, neither in a column nor in the order of its rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crosscam.data.faults import DataError
from crosscam.data.pids import Counts, count, is_person

Window = tuple[float, float]

SUBSETS = ("train", "query", "gallery")
WHOLE: Window = (0.0, 1.0)
ORDER = ["offset", "camid"]  # no identity decides the order of rows


class Split(NamedTuple):
    """Tables of the subsets; rows in order of (offset, camid).

    Parameters
    ----------
    train
        Columns offset, size, camid.
    query, gallery
        Columns offset, size, camid, pid.
    truth
        Column pid: the identities of the rows of `train`.
    """

    train: pd.DataFrame
    query: pd.DataFrame
    gallery: pd.DataFrame
    truth: pd.DataFrame


def split(index: pd.DataFrame, window: Window) -> Split:
    """Return the tables of the subsets.

    Parameters
    ----------
    index
        Table with the columns `crosscam.data.packed.INDEX_COLUMNS`.
    window
        Part of each camera's recording time whose training images are kept, see
        `recording_time`: those at from ≤ t < to, and those at t = 1 if to = 1. Query
        and gallery are never cut.

    Raises
    ------
    DataError
        With one line per fault: an empty subset, identities in both halves of the
        dataset, queries that are no identities, no query that has a match, a window
        that empties a camera, or a window on images whose time is unknown.
    """
    index = index.sort_values([*ORDER, "pid", "member"], kind="stable")
    subsets = {name: index[index["subset"] == name] for name in SUBSETS}
    faults = _faults(subsets)
    train = subsets["train"]
    try:
        train = train[in_window(train, window)]
    except DataError as error:
        faults += error.faults
    if faults:
        raise DataError(*faults)
    return Split(
        train=_table(train, ["offset", "size", "camid"]),
        query=_table(subsets["query"], ["offset", "size", "camid", "pid"]),
        gallery=_table(subsets["gallery"], ["offset", "size", "camid", "pid"]),
        truth=_table(train, ["pid"]),
    )


def _table(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return rows[columns].reset_index(drop=True)


def _faults(subsets: dict[str, pd.DataFrame]) -> list[str]:
    if empty := [name for name, rows in subsets.items() if rows.empty]:
        return [f"index: no images in {empty}: the archive is not complete"]
    pids = {name: rows["pid"].to_numpy() for name, rows in subsets.items()}
    people = {name: np.unique(p[is_person(p)]) for name, p in pids.items()}
    test = np.union1d(people["query"], people["gallery"])
    faults = []
    if (both := np.intersect1d(people["train"], test)).size:
        faults.append(
            f"train: {both.size} identities are in query or gallery as well, got"
            f" {both[:5].tolist()}: a result would not be honest, rename or remove them"
        )
    if nobody := int(np.sum(~is_person(pids["query"]))):
        faults.append(
            f"query: {nobody} images are junk (-1) or distractors (0): these pids"
            " belong in the gallery only"
        )
    if not has_match(subsets["query"], subsets["gallery"]).any():
        faults.append(
            "query: no query identity has a gallery image from another camera:"
            " number identities and cameras alike in both folders, and see that people"
            " pass more than one camera"
        )
    return faults


def has_match(query: pd.DataFrame, gallery: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which queries have a gallery image of their pid from another camera.

    Parameters
    ----------
    query, gallery
        Tables with the columns camid and pid.

    Returns
    -------
    ndarray of shape (num_query,)
    """
    cameras = gallery.groupby("pid")["camid"].agg(["min", "max"])
    seen = cameras.reindex(query["pid"])  # missing values compare as false
    camids = query["camid"].to_numpy()
    other = (seen["min"].to_numpy() < camids) | (seen["max"].to_numpy() > camids)
    return np.asarray(other & is_person(query["pid"].to_numpy()))


def in_window(train: pd.DataFrame, window: Window) -> NDArray[np.bool_]:
    """Return which training images lie in a window of their camera's recording time.

    Parameters
    ----------
    train
        Table with the columns camid, sequence, frame.
    window
        As for `split`.

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


def summary(tables: Split, window: Window) -> dict[str, Any]:
    """Return the counts of a split.

    Returns
    -------
    dict
        Per subset its `Counts`; ``train_images_per_camera`` by camera number as in file
        names, from 1; ``window``; ``queries_without_match``.
    """
    counts: dict[str, Counts] = {
        "train": count(tables.train.assign(pid=tables.truth["pid"])),
        "query": count(tables.query),
        "gallery": count(tables.gallery),
    }
    matched = has_match(tables.query, tables.gallery)
    camids, images = np.unique(tables.train["camid"].to_numpy(), return_counts=True)
    per_camera = {f"c{camid + 1}": n for camid, n in zip(camids, images, strict=True)}
    return {
        **{name: found._asdict() for name, found in counts.items()},
        "train_images_per_camera": per_camera,
        "window": list(window),
        "queries_without_match": int(np.sum(~matched)),
    }
