"""Published procedures, step by step, dense, as their authors' programs take them.

Written from the papers and from what the programs are known to do (docs/method.md);
none of their text is in here. They stand for programs that no package ships.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Matrix = NDArray[Any]


def iics_reranked(
    distances: Matrix, k1: int, k2: int, lambda_: float, dtype: DTypeLike = np.float16
) -> Matrix:
    """Return k-reciprocal re-ranked distances as IICS computes them.

    Parameters
    ----------
    distances
        (num_images, num_images).
    k1, k2, lambda_
        In the paper's symbols.
    dtype
        Of the vectors V and of the Jaccard distances.

    Returns
    -------
    ndarray
        (num_images, num_images), each row scaled on its own: not symmetric.
    """
    lowered = distances - distances.min(axis=0)
    scaled = (lowered / lowered.max(axis=0)).T
    ranks = np.argsort(scaled).astype(np.int32)  # ties are left to chance
    return reranked(scaled, ranks, k1, k2, lambda_, dtype)


def reranked(
    scaled: Matrix,
    ranks: NDArray[np.integer],
    k1: int,
    k2: int,
    lambda_: float,
    dtype: DTypeLike,
    num_rows: int | None = None,
) -> Matrix:
    """Return sections 3.2 to 3.4 of Zhong et al. (CVPR 2017), for the first rows.

    Parameters
    ----------
    scaled
        (num_images, num_images), each row divided by its largest distance.
    ranks
        (num_images, k1 + 1 or more), neighbours in order, each image its own first.
    k1, k2, lambda_, dtype
        As above.
    num_rows
        None: all.
    """
    half = round(k1 / 2)
    vectors = np.zeros(scaled.shape, dtype)
    for i in range(len(scaled)):
        members = mutual(ranks, i, k1)
        expanded = expansion(members, [mutual(ranks, j, half) for j in members])
        weights = np.exp(-scaled[i, expanded])
        vectors[i, expanded] = weights / weights.sum()
    jaccard = jaccard_distances(averaged(vectors, ranks, k2), num_rows)
    if lambda_ == 0:
        return jaccard
    return jaccard * (1 - lambda_) + scaled[: len(jaccard)] * lambda_


def first_neighbours(
    distances: Matrix, count: int, first: int = 0
) -> NDArray[np.int32]:
    """Return each image, then the others by distance and index, `count` in all.

    The rows are those of the images from `first` on.
    """
    result = np.empty((len(distances), count), np.int32)
    for i, row in enumerate(distances):
        own = row.copy()
        own[first + i] = -1
        result[i] = np.argsort(own, kind="stable")[:count]
    return result


def spcl_jaccard(
    features: Matrix, ranks: NDArray[np.integer], k1: int, k2: int
) -> Matrix:
    """Return dense Jaccard distances as SpCL and Cluster Contrast compute them.

    Parameters
    ----------
    features
        (num_images, dim), of length 1.
    ranks
        (num_images, k1), neighbours in order, each image its own first.
    k1, k2
        Numbers of neighbours.

    Returns
    -------
    ndarray
        (num_images, num_images), of the features' type.
    """
    num, half = len(features), round(k1 / 2)
    members = [mutual(ranks, i, k1) for i in range(num)]
    near = [mutual(ranks, i, half) for i in range(num)]
    vectors = np.zeros((num, num), features.dtype)
    for i in range(num):
        expanded = expansion(members[i], [near[j] for j in members[i]])
        weights = np.exp(2 * (features[expanded] @ features[i]) - 2)
        vectors[i, expanded] = weights / weights.sum()
    return jaccard_distances(averaged(vectors, ranks, k2))


def mutual(ranks: NDArray[np.integer], i: int, k: int) -> NDArray[np.integer]:
    """Return the first k + 1 neighbours of an image that have it among theirs."""
    forward = ranks[i, : k + 1]
    backward = ranks[forward, : k + 1]
    return forward[np.nonzero(backward == i)[0]]


def expansion(
    members: NDArray[np.integer], near: list[NDArray[np.integer]]
) -> NDArray[np.integer]:
    """Return the members, with the sets of those that lie in them to over 2/3."""
    taken = [c for c in near if len(np.intersect1d(c, members)) > 2 / 3 * len(c)]
    return np.unique(np.concatenate([members, *taken]))


def averaged(vectors: Matrix, ranks: NDArray[np.integer], k2: int) -> Matrix:
    """Return each vector averaged over its image's first k2 neighbours."""
    if k2 == 1:
        return vectors
    result = np.zeros_like(vectors)
    for i in range(len(vectors)):
        result[i] = vectors[ranks[i, :k2]].mean(axis=0)
    return result


def jaccard_distances(vectors: Matrix, num_rows: int | None = None) -> Matrix:
    """Return ``1 - Σ min / (2 - Σ min)``, by the images that share a column."""
    num = len(vectors)
    holders = [np.nonzero(vectors[:, j])[0] for j in range(num)]
    result = np.zeros_like(vectors[:num_rows])
    for i in range(len(result)):
        minima = np.zeros(num, vectors.dtype)
        for j in np.nonzero(vectors[i])[0]:
            minima[holders[j]] += np.minimum(vectors[i, j], vectors[holders[j], j])
        result[i] = 1 - minima / (2 - minima)
    return np.maximum(result, 0, out=result)
