"""Similarity of score vectors across cameras, and its share in the distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from crosscam.cluster.distances import Distances

ROWS = 512


def score_similarities(
    scores: NDArray[np.float32], num_cameras: int
) -> NDArray[np.float32]:
    """Return the Jaccard similarity ``Σ min / Σ max`` of all pairs of score vectors.

    A score vector is the concatenation of one softmax per camera's head, so it sums to
    the number of cameras C, and with L1 the sum of absolute differences
    ``Σ min / Σ max = (2C - L1) / (2C + L1)``.

    Parameters
    ----------
    scores
        (num_images, num_classes of all heads), non-negative, rows summing to
        `num_cameras`.
    num_cameras
        Number of heads.

    Returns
    -------
    ndarray
        (num_images, num_images), symmetric, in [0, 1], 1 on the diagonal.

    References
    ----------
    Xuan, Zhang: Intra-inter camera similarity for unsupervised person
    re-identification, CVPR 2021, section 3.4.
    """
    num = len(scores)
    result = np.empty((num, num), np.float32)
    exact = scores.astype(np.float64)  # differences of equal rows must be exactly 0
    for start in range(0, num, ROWS):
        block = slice(start, start + ROWS)
        far = cdist(exact[block], exact[start:], "cityblock")
        near = (2 * num_cameras - far) / (2 * num_cameras + far)
        result[block, start:] = np.clip(near, 0, 1)
        result[start:, block] = result[block, start:].T
    return result


def mixed_distances(
    distances: Distances,
    similarities: NDArray[np.float32],
    camids: NDArray[np.integer],
    weight: float,
) -> Distances:
    """Return ``d - μ · J`` for images of different cameras, d for the others.

    Parameters
    ----------
    distances
        (num_images, num_images), cosine distances.
    similarities
        (num_images, num_images), of the score vectors.
    camids
        (num_images,).
    weight
        μ.

    Returns
    -------
    ndarray
        (num_images, num_images), symmetric if both are. Values below 0 become 0, so
        that no other image comes before the image itself (in the published code a near
        duplicate from another camera can).
    """
    across = camids[:, None] != camids[None, :]
    mixed: Distances = distances - np.float32(weight) * similarities * across
    np.maximum(mixed, 0, out=mixed)
    return mixed


def mixing_weight(start: float, power: float, round_: int, num_rounds: int) -> float:
    """Return ``μ = μ0 · (1 - t / T)^power`` of round t of T.

    Parameters
    ----------
    start
        μ0.
    power
        0.6 in IICS; 0 keeps μ constant.
    round_, num_rounds
        t, from 0, and T.
    """
    return float(start * (1 - round_ / num_rounds) ** power)
