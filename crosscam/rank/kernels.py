"""The loops of ranking: one distance, and how many images stand up to a distance."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from crosscam.kernel import helper, kernel

GRID = 2.0**-23  # 1.2e-7: finer differences are not in float32 features
LANES = 32  # partial sums of a product: 2.3 times as fast as a single one
BLOCK = 1024  # estimates looked through at once: 4 kB, in the first cache


class Images(NamedTuple):
    """A query or gallery.

    Attributes
    ----------
    features
        float32 of shape (num_images, dim), rows of length 1.
    pids
        int64 of shape (num_images,).
    cameras
        int64 of shape (num_images,), from 0 and below the number of cameras; equal to
        it where an image is not counted.
    """

    features: NDArray[np.float32]
    pids: NDArray[np.integer[Any]]
    cameras: NDArray[np.integer[Any]]


class Targets(NamedTuple):
    """Gallery images up to which others are counted, nearest first for each query.

    Attributes
    ----------
    first
        int64 of shape (num_query + 1,): where those of each query start.
    cameras
        int64 of shape (num_targets,), below the number of cameras.
    distances
        float32 of shape (num_targets,).
    low, high
        float32 of shape (num_targets,), ascending for each query: an image with an
        estimate at `low` or below is as near as the target, one above `high` is not.
        In between the estimate does not decide.
    """

    first: NDArray[np.int64]
    cameras: NDArray[np.integer[Any]]
    distances: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


@kernel
def fill_distances(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    distances: NDArray[np.float32],
) -> None:
    """Write the cosine distance of each pair of a row and a column to `distances`."""
    for pair in prange(len(rows)):
        distances[pair] = _distance(query[rows[pair]], gallery[columns[pair]])


@kernel
def count_wrong(
    estimates: NDArray[np.float32],
    start: int,
    query: Images,
    gallery: Images,
    num_cameras: int,
    targets: Targets,
    counts: NDArray[np.int64],
) -> None:
    """Count images of other identities at the distance of each target or nearer.

    Parameters
    ----------
    estimates
        Shape (num_rows, num_gallery): of the distances, in any unit that `targets`
        bound. Where they do not decide, distances are computed from the features.
    start
        Row of the query that the first row of `estimates` is of.
    query, gallery
        All images.
    num_cameras
        Cameras that are counted.
    targets
        Of all queries.
    counts
        Shape (2, num_targets), to be written for these queries: the count over all
        cameras, and over that of the target.
    """
    for place in prange(len(estimates)):
        row = start + place
        if targets.first[row] < targets.first[row + 1]:
            found = _found(estimates[place], row, query, gallery, num_cameras, targets)
            _sum_up(found, targets.first[row], targets.cameras, counts)


@helper
def _found(
    estimates: NDArray[np.float32],
    row: int,
    query: Images,
    gallery: Images,
    num_cameras: int,
    targets: Targets,
) -> NDArray[np.int64]:
    """Return how many images of each camera lie between a target and the one before.

    The last row is beyond all targets, the last column junk.
    """
    first, end = targets.first[row], targets.first[row + 1]
    low, high = targets.low[first:end], targets.high[first:end]
    found = np.zeros((end - first + 1, num_cameras + 1), np.int64)
    near = np.empty(BLOCK, np.int64)
    for start in range(0, len(estimates), BLOCK):
        num_near = 0
        for j in range(start, min(start + BLOCK, len(estimates))):
            near[num_near] = j  # no branch: it would be guessed wrong too often
            num_near += estimates[j] <= high[-1]
        for i in range(num_near):
            j = near[i]
            if gallery.pids[j] == query.pids[row]:
                continue
            place = _first_not_below(low, estimates[j])
            if place > 0 and estimates[j] <= high[place - 1]:
                distance = _distance(query.features[row], gallery.features[j])
                place = _first_not_below(targets.distances[first:end], distance)
            found[place, gallery.cameras[j]] += 1
    return found


@helper
def _sum_up(
    found: NDArray[np.int64],
    first: int,
    cameras: NDArray[np.integer[Any]],
    counts: NDArray[np.int64],
) -> None:
    """Add what lies before each target to `found`, and write it to `counts`."""
    for place in range(found.shape[0] - 1):
        target = first + place
        counts[0, target] = 0
        for camera in range(found.shape[1] - 1):
            if place > 0:
                found[place, camera] += found[place - 1, camera]
            counts[0, target] += found[place, camera]
        counts[1, target] = found[place, cameras[target]]


@helper
def _first_not_below(ascending: NDArray[np.float32], value: np.float32) -> int:
    """Return the first place in `ascending` that is not below `value`."""
    place, size = 0, len(ascending)
    while size > 1:  # halved without a branch
        half = size // 2
        place += half * (ascending[place + half - 1] < value)
        size -= half
    return place + int(ascending[place] < value)


@helper
def _distance(x: NDArray[np.float32], y: NDArray[np.float32]) -> np.float32:
    lanes = np.zeros(LANES)
    whole = len(x) // LANES * LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            i = start + lane
            lanes[lane] += np.float64(x[i]) * np.float64(y[i])
    for i in range(whole, len(x)):
        lanes[i - whole] += np.float64(x[i]) * np.float64(y[i])
    product = 0.0
    for partial in lanes:
        product += partial
    return np.float32(np.rint(max(1 - product, 0.0) / GRID) * GRID)
