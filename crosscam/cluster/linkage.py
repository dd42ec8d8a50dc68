"""Average linkage in the memory of the distances.

In rounds: all clusters that are each other's nearest merge at once. Nothing can come
between two of them, as a mean is never below the lesser of two distances. Where a round
finds few pairs, as around a cluster that is the nearest of most others, the rest is
left to a chain of nearest neighbours. All that takes O(num_images²).

References
----------
Sokal, Michener: A statistical method for evaluating systematic relationships,
University of Kansas Science Bulletin 38, 1958 (average linkage). Murtagh: A survey of
recent advances in hierarchical clustering algorithms, The Computer Journal 26, 1983
(reciprocal nearest neighbours and chains).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crosscam.cluster.distances import Distances
from crosscam.cluster.merging import fill_nearest, merge_chain, merge_pairs

FEW = 32  # a round with one pair in so many clusters, or fewer, costs more than a chain

Integers = NDArray[np.int64]


class Merges(NamedTuple):
    """Pairs of clusters, named by their first images; all (num_merges,)."""

    into: Integers  # also the name of both together: the lower one
    gone: Integers
    height: NDArray[np.float32]


class Clusters(NamedTuple):
    """What may still merge; all (num_clusters,)."""

    names: Integers  # ascending; the row of distances to all clusters in this order
    sizes: NDArray[np.float64]
    nearest: Integers
    near: NDArray[np.float32]  # the distance to the nearest


def average_clusters(
    distances: Distances, *, num_clusters: int | None = None, limit: float | None = None
) -> Integers:
    """Return the cluster of each image by average linkage.

    The two clusters of least mean distance merge, until there are `num_clusters` or
    none are nearer than `limit`. One of the two is given.

    Parameters
    ----------
    distances
        (num_images, num_images), symmetric, non-negative, in C order. It is
        OVERWRITTEN; its diagonal does not count.
    num_clusters
        From 1 to num_images.
    limit
        Clusters at just this distance stay apart.

    Returns
    -------
    ndarray
        (num_images,), numbered from 0 in order of first appearance.

    Raises
    ------
    ValueError
        If none or both of `num_clusters` and `limit` are given, or something else is
        not as it must be.

    Notes
    -----
    The clusters are those of scikit-learn's ``AgglomerativeClustering`` (``metric=
    "precomputed", linkage="average"``) but for heights that are equal in float32,
    which each mean is rounded to. Which of equal distances is the least is fixed, and
    arbitrary. The number of threads changes nothing.
    """
    num = len(distances)
    _check(distances, num_clusters, limit)
    wanted = num if num_clusters is None else num - num_clusters
    merges = _lowest_merges(distances, wanted, np.inf if limit is None else limit)
    names = np.arange(num)
    names[merges.gone] = merges.into
    while np.any(names != names[names]):
        names = names[names]
    return np.unique(names, return_inverse=True)[1]


def _lowest_merges(distances: Distances, wanted: int, limit: float) -> Merges:
    """Return the lowest merges below the limit, each after those of its parts."""
    limit, found = np.float64(limit), []
    clusters = _single_images(distances)
    while True:
        pairs = _reciprocal_pairs(clusters, limit)
        if len(pairs[0]) * FEW <= len(clusters.names):
            break
        names = clusters.names[pairs]
        found.append(Merges(names[0], names[1], clusters.near[pairs[0]]))
        limit = _lowered(limit, wanted, found)
        clusters = _merged(distances, clusters, pairs, limit)
    found.append(_chained(distances, clusters, limit))
    into, gone, height = map(np.concatenate, zip(*found, strict=True))
    # No part is higher than what it becomes a part of, so none is left out.
    lowest = np.sort(np.argsort(height, kind="stable")[:wanted])
    return Merges(into[lowest], gone[lowest], height[lowest])


def _single_images(distances: Distances) -> Clusters:
    names = np.arange(len(distances))
    nearest = np.empty(len(names), np.int64)
    fill_nearest(distances, nearest)
    near = distances[names, nearest]
    if np.any(near < 0):
        raise ValueError(f"distances: must not be negative, got {near.min()}")
    return Clusters(names, np.ones(len(names)), nearest, near)


def _reciprocal_pairs(clusters: Clusters, limit: np.float64) -> Integers:
    own, nearest = np.arange(len(clusters.names)), clusters.nearest
    mutual = (nearest[nearest] == own) & (own < nearest) & (clusters.near < limit)
    first = np.flatnonzero(mutual)
    return np.stack([first, nearest[first]])


def _lowered(limit: np.float64, wanted: int, found: list[Merges]) -> np.float64:
    """Return what the lowest `wanted` merges are not above, once so many are known."""
    heights = np.concatenate([merges.height for merges in found])
    last = max(wanted, 1) - 1
    if last >= len(heights):
        return limit
    return min(limit, np.float64(np.partition(heights, last)[last]))


def _merged(
    distances: Distances, clusters: Clusters, pairs: Integers, limit: np.float64
) -> Clusters:
    """Merge pairs, and drop the clusters that nothing is near: they are finished."""
    first, second = pairs
    left = clusters.near < limit
    left[second] = False
    columns = np.flatnonzero(left)
    sizes = clusters.sizes.copy()
    sizes[first] += sizes[second]
    pair_shares = clusters.sizes[pairs] / sizes[first]
    shares = np.ones((2, len(sizes)))
    shares[:, first] = pair_shares
    parts = np.stack([clusters.names, clusters.names])
    parts[1, first] = clusters.names[second]
    own = parts.take(columns, axis=1), shares.take(columns, axis=1)
    nearest = np.empty(len(columns), np.int64)
    merge_pairs(distances, *own, pairs, pair_shares, columns, len(sizes), nearest)
    names = clusters.names[columns]
    return Clusters(names, sizes[columns], nearest, distances[names, nearest])


def _chained(distances: Distances, clusters: Clusters, limit: np.float64) -> Merges:
    num, is_open = len(clusters.names), clusters.near < limit
    merges, heights = np.empty((2, num), np.int64), np.empty(num, np.float32)
    given = distances, clusters.names, clusters.sizes, is_open, limit
    done = merge_chain(*given, merges, heights)
    if done < 0:
        raise ValueError("distances: must be symmetric")
    return Merges(merges[0, :done], merges[1, :done], heights[:done])


def _check(distances: Distances, num_clusters: int | None, limit: float | None) -> None:
    num, is_float32 = len(distances), distances.dtype == np.float32
    if not (distances.shape == (num, num) and is_float32 and distances.flags.carray):
        raise ValueError(
            "distances: must be a square, writable float32 array in C order, got "
            f"{distances.dtype} of shape {distances.shape}"
        )
    if (num_clusters is None) == (limit is None):
        raise ValueError("num_clusters, limit: one of the two must be given")
    if num_clusters is not None and not min(num, 1) <= num_clusters <= num:
        raise ValueError(f"num_clusters: must be 1 to {num}, got {num_clusters}")
