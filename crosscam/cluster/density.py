"""Clusters of high density (DBSCAN) from a sparse matrix of distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from crosscam.cluster.candidates import Product
from crosscam.cluster.jaccard import RerankParams
from crosscam.cluster.neighbours import nearest_neighbours
from crosscam.cluster.pseudo_labels import (
    OUTLIER,
    CutParams,
    PseudoLabels,
    numbered,
)
from crosscam.cluster.sparse_jaccard import sparse_jaccard_distances


def density_pseudo_labels(
    features: NDArray[np.float32],
    rerank: RerankParams,
    cut: CutParams,
    product: Product | None = None,
) -> PseudoLabels:
    """Return clusters of high density of the Jaccard distances between images.

    Parameters
    ----------
    features
        (num_images, dim), L2-normalised.
    rerank
        Sizes of the neighbourhoods, as many images as there are at most; λ is 0.
    cut
        Its `eps`, `min_samples` and `min_size`.
    product
        See `nearest_neighbours`.

    Returns
    -------
    ndarray
        (num_images,), numbered from 0 in order of first appearance, or `OUTLIER`.
    """
    num = min(max(rerank.k1 + 1, rerank.k2), max(len(features), 1))
    neighbours, _ = nearest_neighbours(features, num, product)
    distances = sparse_jaccard_distances(
        features, neighbours, rerank.k1, rerank.k2, cut.eps
    )
    return density_labels(distances, cut.eps, cut.min_samples, cut.min_size)


def density_labels(
    distances: sparse.csr_array, eps: float, min_samples: int, min_size: int = 1
) -> PseudoLabels:
    """Return the cluster of each image, in which images lie close to each other.

    A core image has `min_samples` images within `eps`, itself included. Core images
    within `eps` of each other are in one cluster, with all images within `eps` of them;
    one that is within `eps` of several clusters goes to that with the first core image.

    Parameters
    ----------
    distances
        (num_images, num_images), symmetric. What is stored counts, zeros too; what is
        not lies beyond `eps`. The diagonal is not looked at.
    eps
        Distances up to this, in single precision, are close.
    min_samples
        At least 1.
    min_size
        Smaller clusters become outliers.

    Returns
    -------
    ndarray
        (num_images,), numbered from 0 in order of first appearance, or `OUTLIER`.

    Notes
    -----
    The partition is that of scikit-learn's DBSCAN, which makes a Python object of each
    image's neighbours. Some 30 bytes of memory for each stored distance.

    References
    ----------
    Ester, Kriegel, Sander, Xu: A density-based algorithm for discovering clusters in
    large spatial databases with noise, KDD 1996.
    """
    num = distances.shape[0]
    row = np.repeat(np.arange(num, dtype=np.int32), np.diff(distances.indptr))
    near = (distances.data <= np.float32(eps)) & (row != distances.indices)
    row, column = row[near], distances.indices[near]
    core = np.bincount(row, minlength=num) + 1 >= min_samples
    clusters = np.full(num, num)  # named by their first core image
    clusters[core] = _first_connected(row, column, core)
    border = ~core[row] & core[column]
    np.minimum.at(clusters, row[border], clusters[column[border]])
    clusters[clusters == num] = OUTLIER
    return numbered(clusters, min_size)


def _first_connected(
    row: NDArray[np.int32], column: NDArray[np.int32], core: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the first of the core images to which each of them is connected."""
    cores = np.flatnonzero(core)
    if not len(cores):
        return cores
    both = core[row] & core[column]
    pairs = np.ones(np.count_nonzero(both), np.int8), (row[both], column[both])
    graph = sparse.csr_array(pairs, shape=(len(core), len(core)))
    names = connected_components(graph, directed=False)[1][cores]
    _, first, places = np.unique(names, return_index=True, return_inverse=True)
    return cores[first[places]]
