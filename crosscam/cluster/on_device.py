"""Distances between all pairs of images, computed where their features are.

What `crosscam.cluster.distances` and `crosscam.cluster.scores` do with arrays on the
CPU, for tensors on a GPU: the same values but for the last digits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscam.cluster.candidates import Product
from crosscam.cluster.distances import Distances
from crosscam.cluster.scores import check_sums
from crosscam.data.sending import sent

ROWS = 512  # at a time: with those of the result, they are all the memory that is taken
# Of the memory, for the result: images may take half of what is free.
SHARE = 0.25


def fits(num_images: int, device: torch.device) -> bool:
    """Return whether a device has room for the distances of so many images.

    By its whole memory, and not by what is free at the moment: a run that is taken up
    again must decide as it did before, as the last digits depend on it.

    Parameters
    ----------
    num_images
        4 bytes for each pair of them.
    device
        A GPU.
    """
    _, whole = torch.cuda.mem_get_info(device)
    return bool(4 * num_images**2 <= SHARE * whole)


def cosine_distances(features: Tensor) -> Distances:
    """Return ``1 - cos`` between all pairs of images.

    Parameters
    ----------
    features
        (num_images, dim), float32, L2-normalised.

    Returns
    -------
    ndarray
        (num_images, num_images), symmetric, in [0, 2], 0 on the diagonal; on the CPU.
    """
    return _all_pairs(len(features), features.device, _cosine(features))


def score_similarities(scores: Tensor, num_cameras: int) -> NDArray[np.float32]:
    """Return the Jaccard similarity ``Σ min / Σ max`` of all pairs of score vectors.

    ``(2C - L1) / (2C + L1)`` in float32, L1 being the sum of absolute differences.

    Parameters
    ----------
    scores
        (num_images, num_classes of all heads), float32, non-negative, rows summing to
        `num_cameras`.
    num_cameras
        Number of heads, C.

    Returns
    -------
    ndarray
        (num_images, num_images), symmetric, in [0, 1], 1 on the diagonal; on the CPU.
    """
    similarity = _jaccard(scores, num_cameras)
    return _all_pairs(len(scores), scores.device, similarity, itself=1)


def mixed_distances(
    features: Tensor,
    scores: Tensor,
    camids: NDArray[np.integer],
    *,
    num_cameras: int,
    weight: float,
) -> Distances:
    """Return ``d - μ · J`` for images of different cameras, d for the others.

    Parameters
    ----------
    features, scores
        As for `cosine_distances` and `score_similarities`, which give d and J.
    camids
        (num_images,).
    num_cameras
        Number of heads.
    weight
        μ.

    Returns
    -------
    ndarray
        (num_images, num_images), symmetric, at least 0, 0 on the diagonal; on the CPU.

    Raises
    ------
    ValueError
        If scores count, and a row of them does not sum to the number of cameras.
    """
    if weight > 0:
        check_sums(scores.sum(1, dtype=torch.float64).cpu().numpy(), num_cameras)
    cosine, similarity = _cosine(features), _jaccard(scores, num_cameras)
    cameras = sent(torch.from_numpy(camids), features.device)

    def between(rows: slice, others: slice) -> Tensor:
        across = cameras[rows, None] != cameras[None, others]
        lowered = weight * similarity(rows, others) * across
        return cosine(rows, others).sub_(lowered).clamp_(min=0)

    return _all_pairs(len(features), features.device, between if weight > 0 else cosine)


def product(features: NDArray[np.float32], device: torch.device) -> Product:
    """Return what multiplies rows of features on a device, for `nearest_neighbours`.

    Parameters
    ----------
    features
        (num_images, dim).
    device
        Takes a copy of them, and a tile at a time.
    """
    there = torch.from_numpy(features).to(device)

    @torch.inference_mode()
    def multiply(rows: slice, columns: slice, tile: NDArray[np.float32]) -> None:
        torch.from_numpy(tile).copy_(there[rows] @ there[columns].T)

    return multiply


Between = Callable[[slice, slice], Tensor]


def _cosine(features: Tensor) -> Between:
    def between(rows: slice, others: slice) -> Tensor:
        return (1 - features[rows] @ features[others].T).clamp_(0, 2)

    return between


def _jaccard(scores: Tensor, num_cameras: int) -> Between:
    def between(rows: slice, others: slice) -> Tensor:
        # A kernel of its own on a GPU, which holds the result and nothing else.
        far = torch.cdist(scores[rows], scores[others], p=1)
        return ((2 * num_cameras - far) / (2 * num_cameras + far)).clamp_(0, 1)

    return between


@torch.inference_mode()
def _all_pairs(
    num: int, device: torch.device, between: Between, *, itself: float = 0
) -> NDArray[np.float32]:
    """Return a symmetric matrix, of which the upper part is computed."""
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what training held is otherwise not free
    result = torch.empty(num, num, device=device)
    for start in range(0, num, ROWS):
        rows = slice(start, min(start + ROWS, num))
        upper = between(rows, slice(start, None))
        square = upper[:, : len(upper)]
        # A product and its transpose can differ in the last bit.
        square.copy_(torch.minimum(square, square.T))
        result[rows, start:] = upper
        result[rows.stop :, rows] = upper[:, len(upper) :].T
    result.fill_diagonal_(itself)
    matrix: NDArray[np.float32] = result.cpu().numpy()
    return matrix
