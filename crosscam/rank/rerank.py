"""Distances of queries to the gallery, re-ranked by their k-reciprocal neighbours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crosscam.cluster.jaccard import RerankParams
from crosscam.cluster.mixing import mix_rows
from crosscam.cluster.nearest import nearest_and_largest
from crosscam.cluster.reciprocal import expanded_sets, expanded_vectors
from crosscam.rank.distance import pair_distances

ROWS = 1024  # images whose distances to all are held at once: 80 MB of 19,732


def reranked_distmat(
    query: NDArray[np.float32], gallery: NDArray[np.float32], params: RerankParams
) -> NDArray[np.float32]:
    """Return ``(1 - λ) · Jaccard + λ · scaled distance`` of queries to the gallery.

    Neighbours are looked for among all images, queries and gallery together: a query
    is ranked with the help of the other queries. That is more than a system which sees
    one query at a time can know.

    Parameters
    ----------
    query
        (num_query, dim), rows of length 1.
    gallery
        (num_gallery, dim), rows of length 1.
    params
        Neighbourhood sizes; k1 = 20, k2 = 6 and λ = 0.3 in the paper.

    Returns
    -------
    ndarray
        (num_query, num_gallery), in [0, 1].

    Notes
    -----
    The published code [1]_, which torchreid and fast-reid ship, takes squared Euclidean
    distances and divides those of each image by the largest of them. Features of length
    1 have ``d² = 2 · (1 - cos)``, so the scaled cosine distances here are the same. Its
    result is one-way too: scaled by the query's largest distance, no mean with the
    gallery image's.
    Two things are more exact here. Ties: an image is its own first neighbour, then
    the lower index comes first, queries before the gallery; published, an unstable sort
    decides. Sums over neighbours are float64, and rounding may not leave [0, 1].
    Distances are float32 products, as published: of two neighbours that are equally far
    but for rounding, either may come first. `reranked_part` takes other distances.

    The published code holds several matrices of all images by all images at once; here
    there is none, and the result is the only one of queries by gallery.

    References
    ----------
    .. [1] Zhong, Zheng, Cao, Li: Re-ranking person re-identification with k-reciprocal
       encoding, CVPR 2017.
    """
    features = np.ascontiguousarray(np.concatenate([query, gallery]), np.float32)
    held = np.empty((min(ROWS, len(features)), len(features)), np.float32)

    def rows(start: int) -> NDArray[np.float32]:
        own = features[start : start + ROWS]
        found = np.matmul(own, features.T, out=held[: len(own)])
        np.subtract(1, found, out=found)
        return np.maximum(found, 0, out=found)

    def between(
        owner: NDArray[np.int64], member: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        return pair_distances(features, features, owner, member)

    return _reranked(rows, between, len(query), len(gallery), params)


def reranked_part(
    distances: NDArray[np.float32], num_query: int, params: RerankParams
) -> NDArray[np.float32]:
    """Return the same from the distances of all images, queries first.

    Parameters
    ----------
    distances
        (num_images, num_images), symmetric, non-negative; only read, and may be mapped
        from a file.
    num_query
        The rest is the gallery.
    params
        As for `reranked_distmat`.

    Returns
    -------
    ndarray
        (num_query, num_images - num_query).
    """

    def rows(start: int) -> NDArray[np.float32]:
        return np.ascontiguousarray(distances[start : start + ROWS])

    def between(
        owner: NDArray[np.int64], member: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        return np.asarray(distances[owner, member])

    return _reranked(rows, between, num_query, len(distances) - num_query, params)


def _reranked(
    rows: Callable[[int], NDArray[np.float32]],
    between: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]],
    num_query: int,
    num_gallery: int,
    params: RerankParams,
) -> NDArray[np.float32]:
    """Re-rank by distances that are asked for: `ROWS` rows of them, and of pairs."""
    distmat = np.empty((num_query, num_gallery), np.float32)
    if not distmat.size:
        return distmat
    num = num_query + num_gallery
    k1, k2 = params.k1, min(params.k2, num)
    near, largest = _one_pass(rows, distmat, min(max(k1 + 1, k2), num))
    owner, member = expanded_sets(near[:, : k1 + 1], near[:, : round(k1 / 2) + 1])
    scaled = between(owner, member) / largest[owner]
    vectors = expanded_vectors(owner, member, scaled, near[:, :k2])
    mix_rows(distmat, largest, vectors, k2, params.lambda_)
    return distmat


def _one_pass(
    rows: Callable[[int], NDArray[np.float32]],
    distmat: NDArray[np.float32],
    num_neighbours: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Fill in the distances of queries to the gallery, and return what else is needed.

    That is the neighbours of each image and its largest distance, or 1 for 0.
    """
    num_query, parts = len(distmat), []
    for start in range(0, sum(distmat.shape), ROWS):
        found = rows(start)
        distmat[start : start + ROWS] = found[: max(num_query - start, 0), num_query:]
        parts.append(nearest_and_largest(found, num_neighbours, start))
    near, largest = map(np.concatenate, zip(*parts, strict=True))
    return near, np.where(largest == 0, np.float32(1), largest)
