"""k-reciprocal Jaccard distances (re-ranked distances), computed sparsely.

The published code holds some four dense N × N matrices and walks through N images in
Python twice. Here the neighbour sets are sparse matrices: the reciprocal sets are an
element-wise product with the transpose, the overlaps that decide on the expansion a
matrix product, and the query expansion another.

References
----------
Zhong, Zheng, Cao, Li: Re-ranking person re-identification with k-reciprocal encoding,
CVPR 2017, sections 3.2 to 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from crosscam.cluster.distances import Distances
from crosscam.params import Count, Fraction, Within

ROWS = 1024  # rows partitioned at a time: bounds the working memory


@dataclass(frozen=True)
class RerankParams:
    """Sizes of the neighbourhoods, in the paper's symbols.

    Parameters
    ----------
    k1
        Neighbours looked at (the image itself not counted).
    k2
        Neighbours averaged in the local query expansion, the image itself counted.
    lambda_
        Weight of the scaled original distance; 0 is the Jaccard distance alone.
    """

    k1: Annotated[int, Within(2)]
    k2: Count
    lambda_: Fraction


def reranked_distances(distances: Distances, params: RerankParams) -> Distances:
    """Return ``(1 - λ) · Jaccard + λ · scaled distance`` between all pairs.

    Parameters
    ----------
    distances
        (num_images, num_images), symmetric, non-negative.
    params
        Neighbourhood sizes; with k1 images or fewer, as many as there are.

    Returns
    -------
    ndarray
        (num_images, num_images), symmetric, in [0, 1], 0 on the diagonal.

    Notes
    -----
    An image is its own first neighbour, whatever the distances; ties are broken by
    the lower index (the published code leaves both to an unstable sort).
    The published scaling, ``d_ij / max_j d_ij``, makes the result asymmetric (by up to
    0.04), of which a clustering then reads one triangle. Here the mean of both
    directions is returned.
    """
    num = len(distances)
    if num < 2:
        return np.zeros_like(distances)
    k1 = min(params.k1, num - 1)
    scale = distances.max(axis=1, keepdims=True)
    scale[scale == 0] = 1
    scaled = distances / scale  # (num_images, num_images)
    neighbours = nearest(distances, max(k1 + 1, min(params.k2, num)))
    weights = _weights(scaled, _expanded(neighbours, k1))
    expansion = _indicator(neighbours[:, : params.k2])
    vectors = sparse.csr_array(expansion @ weights) / expansion.sum(axis=1)[0]
    result = _jaccard_distances(sparse.csr_array(vectors))
    result *= 1 - params.lambda_
    scaled *= params.lambda_
    result += scaled
    result += result.T.copy()
    result /= 2
    np.fill_diagonal(result, 0)
    return np.clip(result, 0, 1, out=result)


def nearest(distances: Distances, num_neighbours: int) -> NDArray[np.int64]:
    """Return each image's neighbours, itself first, then by distance and index.

    Parameters
    ----------
    distances
        (num_images, num_images), non-negative.
    num_neighbours
        At most num_images; the image itself is one of them.

    Returns
    -------
    ndarray
        (num_images, num_neighbours).
    """
    num = len(distances)
    result = np.empty((num, num_neighbours), np.int64)
    for start in range(0, num, ROWS):
        block = distances[start : start + ROWS].copy()
        own = np.arange(len(block))
        block[own, start + own] = -1
        limits = np.partition(block, num_neighbours - 1, axis=1)[:, num_neighbours - 1]
        for row, (values, limit) in enumerate(zip(block, limits, strict=True)):
            within = np.flatnonzero(values <= limit)
            order = np.argsort(values[within], kind="stable")[:num_neighbours]
            result[start + row] = within[order]
    return result


def _indicator(neighbours: NDArray[np.int64]) -> sparse.csr_array:
    """Return the sparse matrix with 1 where column j is a neighbour of row i."""
    num, width = neighbours.shape
    starts = np.arange(0, num * width + 1, width)
    ones = np.ones(num * width, np.float32)
    return sparse.csr_array((ones, neighbours.ravel(), starts), shape=(num, num))


def _reciprocal(neighbours: NDArray[np.int64]) -> sparse.csr_array:
    """Return where i and j are neighbours of each other."""
    forward = _indicator(neighbours)
    return sparse.csr_array(forward.multiply(forward.T))


def _expanded(neighbours: NDArray[np.int64], k1: int) -> sparse.csr_array:
    """Return the expanded k-reciprocal sets R*: row i has entries at its members.

    R(i, k1) takes in R(j, k1/2) of each of its members j of which more than two thirds
    lie in R(i, k1); k1/2 is rounded half to even.
    """
    members = _reciprocal(neighbours[:, : k1 + 1])
    halves = _reciprocal(neighbours[:, : round(k1 / 2) + 1])
    overlaps = members @ halves.T  # |R(i, k1) ∩ R(j, k1/2)|
    # 3 · overlap > 2 · size, in whole numbers: 2/3 itself has no exact float.
    sizes = halves.sum(axis=1)
    accepted = sparse.coo_array(overlaps.multiply(members))
    row, column = accepted.coords
    keep = 3 * accepted.data > 2 * sizes[column]
    chosen = sparse.csr_array(
        (accepted.data[keep], (row[keep], column[keep])), shape=members.shape
    )
    return sparse.csr_array(members + chosen @ halves)


def _weights(scaled: Distances, sets: sparse.csr_array) -> sparse.csr_array:
    """Return V: ``exp(-d)`` over each set, rows summing to 1."""
    row = np.repeat(np.arange(len(scaled)), np.diff(sets.indptr))
    values = np.exp(-scaled[row, sets.indices])
    sums = np.bincount(row, values, minlength=len(scaled))
    data = (values / sums[row]).astype(np.float32)
    return sparse.csr_array((data, sets.indices, sets.indptr), shape=sets.shape)


def _jaccard_distances(vectors: sparse.csr_array) -> Distances:
    """Return ``1 - Σ min / Σ max`` between rows that sum to 1.

    With m the sum of minima, the sum of maxima is 2 - m. Only the entries of the
    columns that a row has are visited.
    """
    num = vectors.shape[0]
    columns = sparse.csc_array(vectors)
    result = np.empty((num, num), np.float32)
    for i in range(num):
        own = slice(vectors.indptr[i], vectors.indptr[i + 1])
        indices = vectors.indices[own]
        starts, ends = columns.indptr[indices], columns.indptr[indices + 1]
        lengths = ends - starts
        offsets = np.repeat(ends - np.cumsum(lengths), lengths)
        entries = offsets + np.arange(lengths.sum())
        minima = np.minimum(
            np.repeat(vectors.data[own], lengths), columns.data[entries]
        )
        shared = np.bincount(columns.indices[entries], minima, minlength=num)
        result[i] = 1 - shared / (2 - shared)
    return result
