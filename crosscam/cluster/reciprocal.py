"""Sets of k-reciprocal neighbours, as sparse matrices: row i has its members.

References
----------
Zhong, Zheng, Cao, Li: Re-ranking person re-identification with k-reciprocal encoding,
CVPR 2017, section 3.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Neighbours = NDArray[np.integer[Any]]


def indicator(neighbours: Neighbours) -> sparse.csr_array:
    """Return the matrix with 1 where column j is a neighbour of row i.

    Parameters
    ----------
    neighbours
        (num_images, num_neighbours), no image twice in a row.

    Returns
    -------
    csr_array
        (num_images, num_images), float32, in the order of `neighbours`.
    """
    num, width = neighbours.shape
    starts = np.arange(0, num * width + 1, width, dtype=np.int32)
    ones = np.ones(num * width, np.float32)
    return sparse.csr_array((ones, neighbours.ravel(), starts), shape=(num, num))


def reciprocal(neighbours: Neighbours) -> sparse.csr_array:
    """Return the matrix with 1 where i and j are neighbours of each other.

    Parameters
    ----------
    neighbours
        As for `indicator`.

    Returns
    -------
    csr_array
        (num_images, num_images), float32, symmetric.
    """
    forward = indicator(neighbours)
    return sparse.csr_array(forward.multiply(forward.T))


def expanded(neighbours: Neighbours, k1: int) -> sparse.csr_array:
    """Return the expanded k-reciprocal sets R*.

    R(i, k1) takes in R(j, k1/2) of each of its members j of which more than two thirds
    lie in R(i, k1) (the paper's equation 3); k1/2 is rounded half to even.

    Parameters
    ----------
    neighbours
        (num_images, at least k1 + 1), each image its own first. The published code of
        SpCL and Cluster Contrast has k1 columns: one neighbour less in R(i, k1), but
        not in the halves.
    k1
        Neighbours, the image itself not counted.

    Returns
    -------
    csr_array
        (num_images, num_images), with a positive entry for each member.
    """
    members = reciprocal(neighbours[:, : k1 + 1])
    halves = reciprocal(neighbours[:, : round(k1 / 2) + 1])
    overlaps = members @ halves.T  # |R(i, k1) ∩ R(j, k1/2)|
    # 3 · overlap > 2 · size, in whole numbers: 2/3 itself has no exact float.
    sizes = halves.sum(axis=1)
    accepted = sparse.coo_array(overlaps.multiply(members))
    row, column = accepted.coords
    keep = 3 * accepted.data > 2 * sizes[column]
    chosen = sparse.csr_array(
        (accepted.data[keep], (row[keep], column[keep])), shape=members.shape
    )
    return sparse.csr_array(members + chosen @ halves)
