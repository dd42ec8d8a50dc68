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
        end = min(start + ROWS, num)
        upper = distances[start:end, start:]  # the rest follows by symmetry
        np.matmul(features[start:end], features[start:].T, out=upper)
        np.subtract(1, upper, out=upper)
        np.clip(upper, 0, 2, out=upper)
        # A product and its transpose can differ in the last bit.
        square = upper[:, : end - start]
        square[:] = np.minimum(square, square.T)
        distances[end:, start:end] = upper[:, end - start :].T
    np.fill_diagonal(distances, 0)
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
    rows = [row[i + 1 :] for i, row in enumerate(distances)]
    upper = np.concatenate([np.empty(0, np.float32), *rows])
    positive = upper[upper > 0]
    if not len(positive):
        return 0.0
    return float(np.quantile(positive, quantile, method="lower"))
