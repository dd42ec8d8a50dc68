"""k-reciprocal Jaccard distances below 1, as a sparse matrix.

Two images whose neighbourhoods share nothing are at distance 1: of N² pairs all but
some hundred for each image. They are neither computed nor stored.

References
----------
Zhong, Zheng, Cao, Li: Re-ranking person re-identification with k-reciprocal encoding,
CVPR 2017, sections 3.2 to 3.4, with λ = 0 and in the form of Ge, Zhu, Chen, Zhao, Li:
Self-paced contrastive learning with hybrid memory, NeurIPS 2020 (SpCL), which Cluster
Contrast (Dai et al., ACCV 2022) takes over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray
from scipy import sparse

from crosscam.cluster.cosines import pair_cosines
from crosscam.cluster.reciprocal import expanded, indicator
from crosscam.kernel import helper, kernel

Neighbours = NDArray[np.int32]
Values = NDArray[np.float32]

ROWS = 1024  # in a block of the result
LANES = 16  # rows that can be computed at a time, each with a buffer
CAPACITY = 256  # entries of a row for which there is room at first


def sparse_jaccard_distances(
    features: NDArray[np.float32],
    neighbours: Neighbours,
    k1: int,
    k2: int,
    limit: float = 1.0,
) -> sparse.csr_array:
    """Return the Jaccard distances that are below 1 and at most `limit`.

    Parameters
    ----------
    features
        (num_images, dim), L2-normalised.
    neighbours
        (num_images, at least k1 + 1 and k2, or num_images), each image its own first.
        With k1 columns the result is that of the published code, see `expanded`.
    k1
        Neighbours looked at, the image itself not counted; of fewer images, as many as
        there are.
    k2
        Neighbours averaged in the local query expansion, the image itself counted.
    limit
        In [0, 1].

    Returns
    -------
    csr_array
        (num_images, num_images) float32, symmetric, in [0, 1). Indices are in order.
        All of the diagonal is stored, as 0, and so are copies at distance 0.

    Notes
    -----
    Weights are ``exp(-|f - f'|²)`` with the squared Euclidean distance 2 - 2 cos, as
    published in this form; `crosscam.cluster.jaccard` has Zhong's, in which distances
    are divided by their row's largest, for which all pairs would have to be looked at.
    """
    num = len(features)
    sets = expanded(neighbours, min(k1, max(num - 1, 0)))
    expansion = indicator(neighbours[:, :k2])
    columns = sparse.csc_array(expansion @ _weights(features, sets))
    columns.data /= min(k2, max(neighbours.shape[1], 1))
    vectors = sparse.csr_array(columns)  # by way of columns: in order of index
    return _rows(vectors, columns, np.float32(limit))


def _weights(features: NDArray[np.float32], sets: sparse.csr_array) -> sparse.csr_array:
    """Return V: ``exp(-(2 - 2 cos))`` over each set, rows summing to 1."""
    num, starts = len(features), sets.indptr.astype(np.int64)
    members, rows = sets.indices.astype(np.int32), np.arange(num)
    values = np.empty(len(members))
    pair_cosines(features, rows, starts, members, values)
    np.exp(2 * values - 2, out=values)
    row = np.repeat(rows, np.diff(starts))
    values /= np.bincount(row, values, minlength=num)[row]
    data = values.astype(np.float32), members, sets.indptr
    return sparse.csr_array(data, shape=sets.shape)


def _rows(
    vectors: sparse.csr_array, columns: sparse.csc_array, limit: np.float32
) -> sparse.csr_array:
    """Return the result, block by block of its rows."""
    num, capacity = vectors.shape[0], CAPACITY
    of = _arrays(vectors), _arrays(columns)
    buffers = np.zeros((LANES, num)), np.empty((LANES, num), np.int32)
    lengths = np.zeros(num + 1, np.int64)
    data, indices, end = np.empty(0, np.float32), np.empty(0, np.int32), 0
    for first in range(0, num, ROWS):
        counts = lengths[first + 1 : first + 1 + ROWS]
        while True:
            shape = len(counts), capacity
            distances, others = np.empty(shape, np.float32), np.empty(shape, np.int32)
            _fill(*of, first, limit, buffers, counts, distances, others)
            if counts.max() <= capacity:
                break
            capacity = int(1.2 * counts.max())  # the next block will want some more
        filled = np.arange(capacity) < counts[:, None]
        start, end = end, end + int(counts.sum())
        if end > len(data):  # in place: a copy would be as much memory again
            data.resize(end + end // 8, refcheck=False)
            indices.resize(end + end // 8, refcheck=False)
        data[start:end], indices[start:end] = distances[filled], others[filled]
    data.resize(end, refcheck=False)
    indices.resize(end, refcheck=False)
    # Beside starts of 64 bits scipy would copy the indices into 64 bits, too.
    index = np.int32 if end <= np.iinfo(np.int32).max else np.int64
    starts = np.cumsum(lengths, dtype=index)
    return sparse.csr_array((data, indices, starts), shape=(num, num))


class _Arrays(NamedTuple):
    """A sparse matrix, in the types that the kernel is compiled for."""

    starts: NDArray[np.int64]
    indices: Neighbours
    values: Values


def _arrays(matrix: sparse.csr_array | sparse.csc_array) -> _Arrays:
    return _Arrays(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(np.float32, copy=False),
    )


@kernel
def _fill(
    vectors: _Arrays,
    columns: _Arrays,
    first: int,
    limit: np.float32,
    buffers: tuple[NDArray[np.float64], Neighbours],
    counts: NDArray[np.int64],
    distances: Values,
    others: Neighbours,
) -> None:
    """Write rows of the result from `first` on, as far as they have room."""
    for lane in prange(LANES):
        shared, met = buffers[0][lane], buffers[1][lane]
        for row in range(lane, len(counts), LANES):
            num_met = _add_minima(vectors, columns, first + row, shared, met)
            shared[first + row] = 1  # but for rounding
            num_kept = 0
            for place in range(num_met):
                j = met[place]
                if _distance(shared[j]) <= limit:
                    met[num_kept] = j
                    num_kept += 1
                else:
                    shared[j] = 0
            kept = _in_order(shared, met, num_kept)
            counts[row] = num_kept
            for place in range(num_kept):
                j = kept[place]
                if place < distances.shape[1]:
                    others[row, place] = j
                    distances[row, place] = _distance(shared[j])
                shared[j] = 0


@helper
def _add_minima(
    vectors: _Arrays,
    columns: _Arrays,
    i: int,
    shared: NDArray[np.float64],
    met: Neighbours,
) -> int:
    """Add the minima of row i and all others to zeros; return how many others."""
    num_met = 0
    for place in range(vectors.starts[i], vectors.starts[i + 1]):
        weight, column = vectors.values[place], vectors.indices[place]
        for entry in range(columns.starts[column], columns.starts[column + 1]):
            j = columns.indices[entry]
            if shared[j] == 0:
                met[num_met] = j
                num_met += 1
            shared[j] += min(weight, columns.values[entry])
    return num_met


@helper
def _in_order(
    shared: NDArray[np.float64], met: Neighbours, num_kept: int
) -> Neighbours:
    """Return the others that are kept, by index: those whose sum is not zero.

    Many are found by passing over all: 5,025 of 12,936 in a twentieth of the 0.3 ms
    that sorting takes; from a sixteenth on it is faster.
    """
    if 16 * num_kept < len(shared):
        return np.sort(met[:num_kept])
    place = 0
    for j in range(len(shared)):
        if shared[j] != 0:
            met[place] = j
            place += 1
    return met[:num_kept]


@helper
def _distance(shared: float) -> np.float32:
    """Return 1 - J: rows of V sum to 1, and so minima and maxima together to 2.

    Rounding may bring the sum of minima above 1.
    """
    return np.float32(max(1 - shared / (2 - shared), 0))
