"""Jaccard distances of sparse vectors, mixed with the distances that they replace.

Only the entries of the columns that a vector has are visited, by an inverted index: 800
of 12,936 images with 27 entries a row. What takes the time is to read and write the
distances.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy import sparse

from crosscam.cluster.distances import Distances
from crosscam.kernel import helper, kernel

TILE = 64  # rows finished by one thread at a time: 3.3 MB of 12,936 images


class Rows(NamedTuple):
    """A sparse matrix for kernels: that of a `csr_array`, columns in order."""

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]


def mix_all(
    distances: Distances,
    largest: NDArray[np.float32],
    vectors: sparse.csr_array,
    k2: int,
    lambda_: float,
) -> None:
    """Turn distances into ``(1 - λ) · Jaccard + λ · d / largest``, in place.

    Parameters
    ----------
    distances
        (num_images, num_images), symmetric, C-contiguous. Becomes the mean of both
        directions, cut to [0, 1], 0 on the diagonal.
    largest
        (num_images,), above 0.
    vectors
        (num_images, num_images), float32, not negative, rows summing to k2.
    k2, lambda_
        As in `crosscam.cluster.jaccard.RerankParams`.
    """
    _mix_all(distances, largest, *_both_ways(vectors), k2, lambda_)


def mix_rows(
    distances: Distances,
    largest: NDArray[np.float32],
    vectors: sparse.csr_array,
    k2: int,
    lambda_: float,
) -> None:
    """Do so in one direction, for the distances of the first images to the last ones.

    Parameters
    ----------
    distances
        (num_first, num_last), C-contiguous, of images that are different ones or not.
    largest, vectors, k2, lambda_
        Of all images, as in `mix_all`.
    """
    _mix_rows(distances, largest, *_both_ways(vectors), k2, lambda_)


def _both_ways(vectors: sparse.csr_array) -> tuple[Rows, Rows]:
    """Return the vectors by row and by column."""
    by_row, by_column = sparse.csr_array(vectors), sparse.csr_array(vectors.T)
    return _rows(by_row), _rows(by_column)


def _rows(matrix: sparse.csr_array) -> Rows:
    matrix.sort_indices()
    starts, columns = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
    return Rows(starts, columns, matrix.data.astype(np.float32))


@kernel
def _mix_all(
    distances: Any, largest: Any, by_row: Any, by_column: Any, k2: int, lambda_: float
) -> None:
    """Write the result right of the diagonal, row by row, then below it."""
    num = len(distances)
    num_tiles = (num + TILE - 1) // TILE
    weight, rest = np.float32(lambda_), np.float32(1 - lambda_)
    for turn in prange(num_tiles):
        # From both ends in turn: the first rows have the most right of the diagonal.
        tile = turn // 2 if turn % 2 == 0 else num_tiles - 1 - turn // 2
        start, end = tile * TILE, min(tile * TILE + TILE, num)
        minima = np.zeros(num)
        for i in range(start, end):
            _add_minima(i, i + 1, by_row, by_column, minima)
            # Slices: where an index may be negative the compiler takes one at a time.
            row, others = distances[i, i + 1 :], largest[i + 1 :]
            _mix_both(row, largest[i], others, minima[i + 1 :], k2, weight, rest)
            distances[i, i] = 0
        for left in range(start, num, TILE):
            right = min(left + TILE, num)
            _mirror(distances[start:end, left:right], distances[left:right, start:end])


@kernel
def _mix_rows(
    distances: Any, largest: Any, by_row: Any, by_column: Any, k2: int, lambda_: float
) -> None:
    num = len(by_row.starts) - 1
    first = num - distances.shape[1]
    weight, rest = np.float32(lambda_), np.float32(1 - lambda_)
    for i in prange(len(distances)):
        minima = np.zeros(num)
        _add_minima(i, first, by_row, by_column, minima)
        _mix(distances[i], largest[i], minima[first:], k2, weight, rest)


@helper
def _add_minima(i: int, first: int, by_row: Any, by_column: Any, minima: Any) -> None:
    """Add ``Σ min(V_i, V_j)`` to entry j, for the images j from `first` on.

    A float64 holds such a sum of float32 exactly, since entries of V are not much below
    1 / k1²: it is the same for j and i.
    """
    for own in range(by_row.starts[i], by_row.starts[i + 1]):
        column, value = by_row.columns[own], by_row.values[own]
        start, end = by_column.starts[column], by_column.starts[column + 1]
        for other in range(end - 1, start - 1, -1):
            j = by_column.columns[other]
            if j < first:
                break
            minima[j] += min(value, by_column.values[other])


@helper
def _jaccard(minima: float, k2: int) -> np.float32:
    """Return ``1 - Σ min / Σ max`` of rows that sum to k2; Σ max = 2 · k2 - Σ min."""
    share = np.float64(np.float32(1) / np.float32(k2))
    both = share * minima
    return np.float32(1 - both / (2 - both))


@helper
def _mix(row: Any, near: float, minima: Any, k2: int, weight: Any, rest: Any) -> None:
    for j in range(len(row)):
        mixed = rest * _jaccard(minima[j], k2) + weight * (row[j] / near)
        row[j] = min(max(mixed, np.float32(0)), np.float32(1))


@helper
def _mix_both(
    row: Any, near: float, far: Any, minima: Any, k2: int, weight: Any, rest: Any
) -> None:
    """Take the mean of both directions, and set the minima to 0 for the next row."""
    for j in range(len(row)):
        jaccard = rest * _jaccard(minima[j], k2)
        forward = jaccard + weight * (row[j] / near)
        backward = jaccard + weight * (row[j] / far[j])
        mean = np.float32(0.5) * (forward + backward)
        row[j] = min(max(mean, np.float32(0)), np.float32(1))
        minima[j] = 0


@helper
def _mirror(upper: Any, lower: Any) -> None:
    """Copy a tile to its place below the diagonal.

    On the diagonal it is the same tile: what row i has left of the diagonal was
    copied there before.
    """
    for i in range(len(upper)):
        for j in range(upper.shape[1]):
            lower[j, i] = upper[i, j]
