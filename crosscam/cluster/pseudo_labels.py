"""Distances to pseudo labels, by average linkage."""

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
    """Where the dendrogram is cut, and which clusters are kept.

    Parameters
    ----------
    by
        ``count``: into `num_clusters`; ``quantile``: at the distance below which
        `quantile` of all pairs lie; clusters at just that distance stay apart.
    num_clusters
        At most; never more than half the images, so that a small camera keeps pairs.
    quantile
        Fraction of the pairs.
    min_size
        Smaller clusters become outliers: 1 keeps all (IICS), 2 drops those of a single
        image (IIDS).
    """

    by: Literal["count", "quantile"]
    num_clusters: Count
    quantile: Fraction
    min_size: Count


def pseudo_labels(distances: Distances, params: CutParams) -> PseudoLabels:
    """Return the cluster of each image.

    Parameters
    ----------
    distances
        (num_images, num_images), symmetric, non-negative. It is OVERWRITTEN.
    params
        Where to cut.

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
    return _without_small(clusters, params.min_size)


def _without_small(clusters: NDArray[np.int64], min_size: int) -> PseudoLabels:
    """Make outliers of small clusters and number the others anew, in their order."""
    kept = np.bincount(clusters) >= min_size
    numbers = np.where(kept, np.cumsum(kept) - 1, OUTLIER)
    return numbers[clusters].astype(np.int32)
