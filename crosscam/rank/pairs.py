"""Which gallery images are true matches of which query, as the loops take them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crosscam.data.pids import JUNK_PID
from crosscam.rank.kernels import Images, Targets

Values = NDArray[np.floating[Any]]


class Pairs(NamedTuple):
    """A query, a gallery, and the true matches between them.

    Attributes
    ----------
    query, gallery
        Arrays of the types that kernels are compiled for; cameras numbered from 0,
        that of junk `num_cameras`.
    num_cameras
        Of both.
    rows, columns
        int64 of shape (num_matches,), rows of the query and of the gallery, in order of
        `rows`, then of cameras, then of `columns`.
    """

    query: Images
    gallery: Images
    num_cameras: int
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def true_pairs(query: Images, gallery: Images) -> Pairs:
    """Return the images of one identity in two cameras; junk has no identity.

    Parameters
    ----------
    query, gallery
        With the numbers of cameras as they come. Features are copied if they are not
        float32 in rows without gaps.
    """
    camids = np.concatenate([query.cameras, gallery.cameras])
    known, numbered = np.unique(camids, return_inverse=True)
    cameras, gallery_cameras = np.split(numbered, [len(query.cameras)])
    is_junk = gallery.pids == JUNK_PID
    order = np.lexsort((gallery_cameras, gallery.pids))
    order = order[~is_junk[order]]
    ordered = gallery.pids[order]
    first = np.searchsorted(ordered, query.pids)
    num_same = np.searchsorted(ordered, query.pids, side="right") - first
    rows = np.repeat(np.arange(len(first)), num_same)
    before = np.repeat(first - np.cumsum(num_same) + num_same, num_same)
    columns = order[before + np.arange(len(rows))]
    other = cameras[rows] != gallery_cameras[columns]
    gallery_cameras[is_junk] = len(known)
    return Pairs(
        query=_plain(query, cameras),
        gallery=_plain(gallery, gallery_cameras),
        num_cameras=len(known),
        rows=rows[other],
        columns=columns[other],
    )


def _plain(images: Images, cameras: NDArray[np.int64]) -> Images:
    features = np.ascontiguousarray(images.features, np.float32)
    return Images(features, np.array(images.pids, np.int64), cameras)


def nearest_first(
    pairs: Pairs, distances: Values, low: Values, high: Values
) -> tuple[NDArray[np.int64], Targets]:
    """Return the true matches as targets, in order of distance for each query.

    Parameters
    ----------
    pairs
        True matches.
    distances, low, high
        Shape (num_matches,), see `Targets`; ascending with one another.

    Returns
    -------
    order
        int64 of shape (num_matches,), the place in `pairs` of each target.
    targets
        Bounds are rounded to the type of `distances`.
    """
    order = np.lexsort((distances, pairs.rows))
    first = np.searchsorted(pairs.rows, np.arange(len(pairs.query.pids) + 1))
    cameras = pairs.gallery.cameras[pairs.columns[order]]
    sorted_ = (
        values[order].astype(distances.dtype) for values in (distances, low, high)
    )
    return order, Targets(first, cameras, *sorted_)
