"""Distances between features, and the distance at a quantile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float32]
ROWS = 2048  # `X @ X.T` in threaded numpy can crash from n = 28,000; row blocks do not


def cosine_distances(features: NDArray[np.float32]) -> Distances:
    """Return ``1 - cos`` between all pairs of images.

    Parameters
    ----------
    features
        (num_images, dim), L2-normalised.

    Returns
    -------
    ndarray
        (num_images, num_images), symmetric, in [0, 2], 0 on the diagonal.
    """
    num = len(features)
    distances = np.empty((num, num), np.float32)
    for start in range(0, num, ROWS):
        block = slice(start, start + ROWS)
        np.matmul(features[block], features.T, out=distances[block])
        np.subtract(1, distances[block], out=distances[block])
        np.clip(distances[block], 0, 2, out=distances[block])
    np.fill_diagonal(distances, 0)
    # Two blocks can differ in the last bit, as their products are summed otherwise.
    for start in range(0, num, ROWS):
        block = slice(start, start + ROWS)
        distances[start:, block] = distances[block, start:].T
    return distances


def distance_at(distances: Distances, quantile: float) -> float:
    """Return the quantile of the positive distances between two images.

    Parameters
    ----------
    distances
        (num_images, num_images); only the part above the diagonal is read. Distances
        of 0, which images have to their copies, do not count, as in IICS.
    quantile
        Fraction in [0, 1]; the value is one of the distances (the lower neighbour).

    Returns
    -------
    float
        0 if no distance is positive.
    """
    upper = distances[np.triu_indices(len(distances), k=1)]
    positive = upper[upper > 0]
    if not len(positive):
        return 0.0
    return float(np.quantile(positive, quantile, method="lower"))
