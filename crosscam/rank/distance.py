"""Cosine distances that do not depend on how the matrix product was cut up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GRID = 2.0**-23  # 1.2e-7: finer differences are not in float32 features
BLOCK_SIZE = 4096  # gallery rows held as float64 at once: 42 MB at 1,280 values each


def cosine_distances(
    query: NDArray[np.float32], gallery: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return 1 - cosine of every query with every gallery feature.

    Products are summed in float64 and rounded to multiples of 2^-23. Equal images
    then stand at equal distances and the ranking is the same however the queries are
    cut into chunks. Plain float32 products give neither: OpenBLAS takes another route
    for one row than for two, and within one row for the last columns (identical
    1,280-d features came out at two distances, 1.2e-7 apart). The float64 product
    takes twice as long.

    Parameters
    ----------
    query
        ndarray of shape (num_query, dim), rows of length 1.
    gallery
        ndarray of shape (num_gallery, dim), rows of length 1.

    Returns
    -------
    ndarray of shape (num_query, num_gallery)
        From 0 (same direction) to 2 (opposite). Half the squared Euclidean distance,
        so both rank alike.
    """
    distmat = np.empty((len(query), len(gallery)), np.float32)
    rows = query.astype(np.float64)
    for start in range(0, len(gallery), BLOCK_SIZE):
        block = slice(start, start + BLOCK_SIZE)
        products = rows @ gallery[block].astype(np.float64).T
        distmat[:, block] = np.rint(np.maximum(1 - products, 0) / GRID) * GRID
    return distmat
