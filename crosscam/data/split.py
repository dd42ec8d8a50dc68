"""Split the index of images into what each later stage may see.

The training table has no identity, neither in a column nor in the order of its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crosscam.data.faults import DataError
from crosscam.data.pids import Counts, count, is_person
from crosscam.data.window import Window, in_window

TRAIN_LISTS = ("train", "val")
TEST_SUBSETS = ("query", "gallery")
ORDER = ["offset", "camid"]  # no identity decides the order of rows

_NO_INTER = (
    "the stage intra could train within it, but inter has nothing to do, since it"
    " brings images of different cameras together"
)
_NO_MATCH = (
    "no query can be evaluated and mAP is undefined, since right answers from the"
    " query's own camera do not count"
)


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


def split(index: pd.DataFrame, window: Window, train_lists: Sequence[str]) -> Split:
    """Return the tables of the subsets.

    Parameters
    ----------
    index
        Table with the columns `crosscam.data.packed.INDEX_COLUMNS`.
    window
        Part of each camera's recording time whose training images are kept, see
        `crosscam.data.window`. Query and gallery are never cut.
    train_lists
        Subsets to train on, of `TRAIN_LISTS`.

    Raises
    ------
    DataError
        With one line per fault: an empty subset, identities in both halves of the
        dataset (also those of a list that is not trained on), queries that are no
        identities, no query that has a match, cameras too few to train or to evaluate,
        a window that empties a camera, or a window on images whose time is unknown.
    """
    index = index.sort_values([*ORDER, "pid", "member"], kind="stable")
    subsets = {str(name): rows for name, rows in index.groupby("subset")}
    wanted = [*train_lists, *TEST_SUBSETS]
    if absent := [name for name in wanted if name not in subsets]:
        raise DataError(_absent(absent, sorted(subsets)))
    train = index[index["subset"].isin(train_lists)]
    query, gallery = (subsets[name] for name in TEST_SUBSETS)
    faults = [*_identity_faults(subsets), *_camera_faults(train, query, gallery)]
    try:
        train = train[in_window(train, window)]
    except DataError as error:
        faults += error.faults
    if faults:
        raise DataError(*faults)
    return Split(
        train=_table(train, ["offset", "size", "camid"]),
        query=_table(query, ["offset", "size", "camid", "pid"]),
        gallery=_table(gallery, ["offset", "size", "camid", "pid"]),
        truth=_table(train, ["pid"]),
    )


def _table(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return rows[columns].reset_index(drop=True)


def _absent(absent: list[str], present: list[str]) -> str:
    if absent == ["val"]:
        return (
            "split.train_lists: asks for val, but this dataset has no such list, got"
            f" {present}: only MSMT17 has one, set train_lists to [train]"
        )
    return f"index: no images in {absent}: the archive is not complete"


def _identity_faults(subsets: Mapping[str, pd.DataFrame]) -> list[str]:
    pids = {name: rows["pid"].to_numpy() for name, rows in subsets.items()}
    people = {name: np.unique(p[is_person(p)]) for name, p in pids.items()}
    test = np.union1d(people["query"], people["gallery"])
    both = {
        name: np.intersect1d(people[name], test)
        for name in TRAIN_LISTS
        if name in people
    }
    faults = [
        f"{name}: {shared.size} identities are in query or gallery as well, got"
        f" {shared[:5].tolist()}: a result would not be honest, rename or remove them"
        for name, shared in both.items()
        if shared.size
    ]
    if nobody := int(np.sum(~is_person(pids["query"]))):
        faults.append(
            f"query: {nobody} images are junk (-1) or distractors (0): these pids"
            " belong in the gallery only"
        )
    return faults


def _camera_faults(
    train: pd.DataFrame, query: pd.DataFrame, gallery: pd.DataFrame
) -> list[str]:
    """Return why the cameras are too few, or do not see the same people."""
    trained, tested = {*train["camid"]}, {*query["camid"], *gallery["camid"]}
    if len(trained | tested) == 1:
        return [_one_camera("all images", trained, f"{_NO_INTER}, and {_NO_MATCH}")]
    faults = []
    if len(trained) == 1:
        faults.append(_one_camera("train: all images", trained, _NO_INTER))
    if len(tested) == 1:
        faults.append(_one_camera("query and gallery: all images", tested, _NO_MATCH))
    elif not has_match(query, gallery).any():
        faults.append(
            "query: no query identity has a gallery image from another camera:"
            " number identities and cameras alike in both folders, and see that people"
            " pass more than one camera"
        )
    return faults


def _one_camera(which: str, camids: set[int], consequence: str) -> str:
    return (
        f"{which} are of one camera, got c{min(camids) + 1}: {consequence}: give each"
        " camera its own number in the names, or see 'One camera' in docs/datasets.md"
    )


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


def summary(
    tables: Split, window: Window, train_lists: Sequence[str]
) -> dict[str, Any]:
    """Return the counts of a split.

    Parameters
    ----------
    tables
        The split.
    window, train_lists
        What it was made with.

    Returns
    -------
    dict
        Per subset its `Counts`; ``train_images_per_camera`` by camera number as in file
        names, from 1; ``train_lists``; ``window``; ``queries_without_match``;
        ``test_only_cameras``, how many cameras of query and gallery are in no training
        image.
    """
    counts: dict[str, Counts] = {
        "train": count(tables.train.assign(pid=tables.truth["pid"])),
        "query": count(tables.query),
        "gallery": count(tables.gallery),
    }
    matched = has_match(tables.query, tables.gallery)
    camids, images = np.unique(tables.train["camid"].to_numpy(), return_counts=True)
    per_camera = {f"c{camid + 1}": n for camid, n in zip(camids, images, strict=True)}
    tested = {*tables.query["camid"], *tables.gallery["camid"]}
    return {
        **{name: found._asdict() for name, found in counts.items()},
        "train_images_per_camera": per_camera,
        "train_lists": list(train_lists),
        "window": list(window),
        "queries_without_match": int(np.sum(~matched)),
        "test_only_cameras": len(tested - {*tables.train["camid"]}),
    }
