"""Cosine distances that do not depend on how they are computed.

The distance of two images is defined to the bit: products of float32 numbers, which
are exact in float64, are summed there in one fixed order, and 1 - cosine is rounded to
a multiple of 2^-23. Equal images then stand at equal distances, on every machine,
whatever they are compared together with. A library's products give neither: OpenBLAS
takes another route for one row than for two, and within one row for the last columns
(identical 1,280-d features came out at two distances, 1.2e-7 apart).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crosscam.rank.kernels import fill_distances


def cosine_distances(
    query: NDArray[np.float32], gallery: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return 1 - cosine of every query with every gallery feature.

    For few queries: the ranking of all (`crosscam.rank.match`) rests on the same
    distances, and computes only those that decide.

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
    shape = len(query), len(gallery)
    rows, columns = np.indices(shape).reshape(2, -1)
    return pair_distances(query, gallery, rows, columns).reshape(shape)


def pair_distances(
    query: NDArray[np.float32],
    gallery: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the cosine distances of some pairs of a query and a gallery feature.

    Parameters
    ----------
    query, gallery
        As above.
    rows, columns
        Shape (num_pairs,): row of the query and row of the gallery.

    Returns
    -------
    ndarray of shape (num_pairs,)
    """
    query, gallery = (np.ascontiguousarray(f, np.float32) for f in (query, gallery))
    distances = np.empty(len(rows), np.float32)
    fill_distances(query, gallery, rows, columns, distances)
    return distances


def product_error(dim: int) -> float:
    """Return how far a float32 product may lie from the one a distance rests on.

    A float32 sum of d products is off by at most γ_d Σ|x_i y_i|, γ_d = d u / (1 - d u),
    u = 2^-24, in any order of summation, with or without fused multiply-add (Higham,
    Accuracy and Stability of Numerical Algorithms, 2nd edition, 2002, section 3.1), and
    Σ|x_i y_i| is at most the product of both lengths (Cauchy-Schwarz). `FeatureSet`
    lets lengths up to 1.001 pass, as far as its own float32 sum can tell: 1 % is ample.
    2^-22 is for all else: comparisons in float32 (2^-24), distances above 2 (of rows
    too long, 2^-23: coarser than the grid), the float64 sum (1e-12) and underflow.

    Parameters
    ----------
    dim
        Length of the features, below 2^20.

    Returns
    -------
    float
        4.7e-5 for 768-d features. Errors that occur are a hundredth of that.
    """
    unit = dim * 2.0**-24
    return 1.01 * unit / (1 - unit) + 2.0**-22
