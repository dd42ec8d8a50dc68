"""Distances to pseudo labels, by average linkage; how else clusters are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crosscam.cluster.distances import Distances, distance_at
from crosscam.cluster.linkage import average_clusters
from crosscam.params import Count, Fraction

OUTLIER = -1
PseudoLabels = NDArray[np.int32]


@dataclass(frozen=True)
class CutParams:
    """How clusters are found, and which of them are kept.

    Parameters
    ----------
    by
        Average linkage, cut by ``count``: into `num_clusters`; by ``quantile``: at the
        distance below which `quantile` of the pairs lie that are not copies; clusters
        at just that distance stay apart. Or by ``density``: DBSCAN, without distances
        between all pairs.
    num_clusters
        At most; never more than half the images, so that a small camera keeps pairs.
    quantile
        Fraction of the pairs at a positive distance.
    min_size
        Smaller clusters become outliers: 1 keeps all (IICS), 2 drops those of a single
        image (IIDS).
    eps, min_samples
        Of `crosscam.cluster.density.density_labels`: Jaccard distances up to `eps` are
        close, and an image with `min_samples` images close to it, itself included, is
        the core of a cluster.
    """

    by: Literal["count", "quantile", "density"]
    num_clusters: Count
    quantile: Fraction
    min_size: Count
    eps: Fraction = 0.6
    min_samples: Count = 4


def pseudo_labels(distances: Distances, params: CutParams) -> PseudoLabels:
    """Return the cluster of each image.

    Parameters
    ----------
    distances
        (num_images, num_images), symmetric, non-negative. It is OVERWRITTEN.
    params
        Where to cut: by count or quantile.

    Returns
    -------
    ndarray
        (num_images,), numbered from 0 in order of first appearance, or `OUTLIER`.

    References
    ----------
    Average linkage, a fixed count: IICS (CVPR 2021); the distance quantile: the same
    authors' code and IIDS (TPAMI 2022).
    """
    num = len(distances)
    if num < 2:
        clusters = np.zeros(num, np.int64)
    elif params.by == "count":
        count = min(params.num_clusters, num // 2)
        clusters = average_clusters(distances, num_clusters=count)
    else:
        limit = distance_at(distances, params.quantile)
        clusters = average_clusters(distances, limit=limit)
    return numbered(clusters, params.min_size)


def numbered(clusters: NDArray[np.int64], min_size: int) -> PseudoLabels:
    """Drop small clusters and number the others by first appearance.

    Parameters
    ----------
    clusters
        (num_images,), any names of clusters, or `OUTLIER`.
    min_size
        Smaller clusters become outliers.

    Returns
    -------
    ndarray
        (num_images,), numbered from 0, or `OUTLIER`.
    """
    result = np.full(len(clusters), OUTLIER, np.int32)
    names, first, inverse, sizes = np.unique(
        clusters, return_index=True, return_inverse=True, return_counts=True
    )
    kept = np.flatnonzero((sizes >= min_size) & (names != OUTLIER))
    numbers = np.full(len(names), OUTLIER, np.int32)
    numbers[kept[np.argsort(first[kept])]] = np.arange(len(kept))
    result[:] = numbers[inverse]
    return result
