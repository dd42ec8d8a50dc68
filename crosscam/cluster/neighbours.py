"""Nearest images by cosine, exact, without a matrix of all pairs.

Products in single precision give each image a few more candidates than asked for, whose
cosines are then taken in double precision and in a fixed order. By the bound on the
rounding of the first, no other image can be nearer; an image of which that is not
certain (it has copies, or many images at nearly one cosine) is compared with all that
can be. So the result depends neither on the BLAS nor on threads or tiles.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from crosscam.cluster.candidates import Product, largest_products
from crosscam.cluster.cosines import pair_cosines

Features = NDArray[np.float32]
Neighbours = NDArray[np.int32]
Cosines = NDArray[np.float64]

SPARE = 8  # candidates beyond those asked for
LONGEST = 1.001  # squared length that passes for 1
PAIRS = 2**21  # that are compared at once: 50 MB


def nearest_neighbours(
    features: Features, num_neighbours: int, product: Product | None = None
) -> tuple[Neighbours, NDArray[np.float32]]:
    """Return each image's neighbours, itself first, then by cosine and index.

    Parameters
    ----------
    features
        (num_images, dim), L2-normalised.
    num_neighbours
        At least 1 and at most num_images; the image itself is one of them.
    product
        What multiplies rows of the features in single precision, in any order of
        summation, which moves nothing; None: numpy.

    Returns
    -------
    neighbours : ndarray
        (num_images, num_neighbours).
    distances : ndarray
        (num_images, num_neighbours), squared Euclidean distances ``2 - 2 cos`` in
        [0, 4], ascending in each row, 0 to the image itself.

    Raises
    ------
    ValueError
        If a row is longer than 1 or not a number, or `num_neighbours` out of range.

    Notes
    -----
    ``num_images² / 2 · dim`` multiplications and additions in single precision. Memory
    beside input and output: 8 bytes for each image and candidate, a tile of 8 MB and a
    block of pairs. Where all images are nearly at one cosine, as of a network that maps
    all to one point, all pairs are compared in double precision: 100 times slower.
    """
    num, others = len(features), num_neighbours - 1
    _check(features, num_neighbours)
    neighbours = np.empty((num, num_neighbours), np.int32)
    distances = np.zeros((num, num_neighbours), np.float32)
    neighbours[:, 0] = np.arange(num)
    if not others:
        return neighbours, distances
    width, error = min(others + SPARE, num - 1), rounding(features.shape[1])
    candidates, limits = largest_products(features, width, product)
    sure = np.full(num, width == num - 1)
    for rows in _blocks(np.arange(num), PAIRS // width):
        found, cosines = _nearest(features, rows, candidates[rows], others)
        neighbours[rows, 1:], distances[rows, 1:] = found, 2 - 2 * cosines
        sure[rows] |= cosines[:, -1] > limits[rows].astype(np.float64) + error
    for rows in _blocks(np.flatnonzero(~sure), PAIRS // num):
        found, cosines = _nearest_of_all(features, rows, others, error)
        neighbours[rows, 1:], distances[rows, 1:] = found, 2 - 2 * cosines
    return neighbours, np.clip(distances, 0, 4, out=distances)


def rounding(dim: int) -> float:
    """Return how far a product in single precision can be from the exact one.

    In whatever order it is summed: `dim` roundings of at most sum |x y|, and that is at
    most 1 (Higham, Accuracy and stability of numerical algorithms, 2002, section 3.1).
    """
    relative = dim * 2.0**-24
    return LONGEST * relative / (1 - relative)


def _check(features: Features, num_neighbours: int) -> None:
    num = len(features)
    if not 1 <= num_neighbours <= max(num, 1):
        raise ValueError(
            f"num_neighbours: must be at least 1 and at most the {num} images, got "
            f"{num_neighbours}"
        )
    longest = np.einsum("ij,ij->i", features, features).max(initial=0)
    if not longest <= LONGEST:
        raise ValueError(
            f"features: must be L2-normalised, got a squared length of {longest:g}"
        )


def _blocks(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    size = max(size, 1)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _nearest(
    features: Features, rows: NDArray[np.int64], candidates: Neighbours, count: int
) -> tuple[Neighbours, Cosines]:
    """Return the nearest of each row's candidates, which are in order of index."""
    starts = np.arange(0, candidates.size + 1, candidates.shape[1])
    cosines = np.empty(candidates.shape)
    pair_cosines(features, rows, starts, candidates.ravel(), cosines.ravel())
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return (
        np.take_along_axis(candidates, order, axis=1),
        np.take_along_axis(cosines, order, axis=1),
    )


def _nearest_of_all(
    features: Features, rows: NDArray[np.int64], count: int, error: float
) -> tuple[Neighbours, Cosines]:
    """Return the nearest of all images, compared exactly where that can matter.

    `count` images are not below the least of the largest products by more than the
    error, and so none is among the nearest whose product is below by twice of it.
    """
    products = features[rows] @ features.T
    products[np.arange(len(rows)), rows] = -np.inf
    least = np.partition(products, -count, axis=1)[:, -count].astype(np.float64)
    lowest = np.nextafter((least - 2 * error).astype(np.float32), np.float32(-np.inf))
    near = products >= lowest[:, None]
    starts = np.append(0, np.cumsum(near.sum(axis=1)))
    others = near.nonzero()[1].astype(np.int32)
    cosines = np.empty(len(others))
    pair_cosines(features, rows, starts, others, cosines)
    best = [
        start + np.argsort(-cosines[start:end], kind="stable")[:count]
        for start, end in itertools.pairwise(starts)
    ]
    return others[best], cosines[best]
