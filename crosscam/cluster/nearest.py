"""The nearest images of each image, by one pass over the rows of distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from crosscam.cluster.distances import Distances
from crosscam.kernel import helper, kernel

STEP = 32  # distances compared with the farthest neighbour so far before any is kept


def nearest(distances: Distances, num_neighbours: int) -> NDArray[np.int64]:
    """Return each image's neighbours, itself first, then by distance and index.

    Parameters
    ----------
    distances
        (num_images, num_images), non-negative.
    num_neighbours
        From 1 to num_images; the image itself is one of them.

    Returns
    -------
    ndarray
        (num_images, num_neighbours).
    """
    return nearest_and_largest(distances, num_neighbours)[0]


def nearest_and_largest(
    rows: Distances, num_neighbours: int, first: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the neighbours of some images, and the distance of the farthest image.

    Parameters
    ----------
    rows
        (num_rows, num_images), non-negative: the distances of images `first`,
        `first` + 1, … to all images.
    num_neighbours
        From 1 to num_images, as in `nearest`.
    first
        Number of the first row's image.

    Returns
    -------
    neighbours
        (num_rows, num_neighbours), int64.
    largest
        (num_rows,), float32.

    Raises
    ------
    ValueError
        If there are not as many images.
    """
    num_rows, num_images = rows.shape
    if num_images and not 1 <= num_neighbours <= num_images:
        raise ValueError(
            f"num_neighbours: must be from 1 to {num_images}, got {num_neighbours}"
        )
    neighbours = np.empty((num_rows, num_neighbours), np.int64)
    largest = np.empty(num_rows, np.float32)
    rows = np.ascontiguousarray(rows, np.float32)
    # As whole numbers distances are in the same order, and of these the compiler takes
    # the maximum of eight at a time, which it may not of floats.
    bits = rows.view(np.int32), largest.view(np.int32)
    _scan(rows, first, neighbours, *bits)
    return neighbours, largest


@kernel
def _scan(rows: Any, first: int, neighbours: Any, bits: Any, largest: Any) -> None:
    for row in prange(len(rows)):
        _nearest_of(rows[row], first + row, neighbours[row])
        largest[row] = _greatest(bits[row])


@helper
def _nearest_of(distances: Any, own: int, neighbours: Any) -> None:
    """Keep the least distances so far, in order, with their images.

    A later image goes behind equal distances, so that lower indices come first. Some
    100 images of 12,936 are kept for a time: most steps hold none.
    """
    last = len(neighbours) - 1
    kept = np.empty(len(neighbours), np.float32)
    kept[0], neighbours[0], end = -1, own, 1
    for start in range(0, len(distances), STEP):
        step = distances[start : start + STEP]
        if end > last and not _any_below(step, kept[last]):
            continue
        for j in range(len(step)):
            if start + j == own or (end > last and not step[j] < kept[last]):
                continue
            place = min(end, last)
            end = place + 1
            while place > 1 and step[j] < kept[place - 1]:
                kept[place], neighbours[place] = kept[place - 1], neighbours[place - 1]
                place -= 1
            kept[place], neighbours[place] = step[j], start + j


@helper
def _any_below(values: Any, limit: float) -> bool:
    """Count without a jump, eight at a time."""
    below = 0
    for j in range(len(values)):
        below += values[j] < limit
    return below > 0


@helper
def _greatest(numbers: Any) -> Any:
    greatest = np.int32(0)
    for j in range(len(numbers)):
        greatest = max(greatest, numbers[j])
    return greatest
