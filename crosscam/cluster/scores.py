"""Similarity of score vectors across cameras, and its share in the distances.

Scores are compared as whole numbers, of 32 bits for the sum of a row. Sums of whole
numbers are exact in any order, so a compiler may put any number of dimensions side by
side: results depend neither on processor and threads nor on the order of images and
dimensions. With 3,600 equal scores they are 2e-7 from exact arithmetic, where sums in
float32 are 4e-6 away; those are no faster, and half as fast if they keep their order.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from crosscam.cluster.distances import Distances
from crosscam.kernel import helper, kernel

BLOCK = 48  # images; two blocks of 3,600 scores are 1.4 MB: what caches hold
ROWS = 256  # of float64 at a time, while scores become whole numbers
WHOLE = 0.99 * 2**32  # what a row's sum becomes, with room for its rounding
TOLERANCE = 1e-3  # of a row's sum, relative


def score_similarities(
    scores: NDArray[np.float32], num_cameras: int
) -> NDArray[np.float32]:
    """Return the Jaccard similarity ``Σ min / Σ max`` of all pairs of score vectors.

    A score vector is the concatenation of one softmax per camera's head, so it sums to
    the number of cameras C, and with m the sum of minima ``J = m / (2C - m)``: the
    published ``(2C - L1) / (2C + L1)``. 2C is taken from the rows themselves, so that
    equal ones have a J of 1 whatever the rounding of a softmax.

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
        (num_images, num_images), symmetric, in [0, 1], 1 on the diagonal and for equal
        rows. The error is below ``2.4e-10 · num_classes`` (9e-7 with 3,600) before it
        is rounded to float32.

    Raises
    ------
    ValueError
        If a row sums to something else.

    References
    ----------
    Xuan, Zhang: Intra-inter camera similarity for unsupervised person
    re-identification, CVPR 2021, section 3.4.
    """
    num = len(scores)
    result = np.zeros((num, num), np.float32)
    # 0 - (-1) · J, each image in a camera of its own
    mix_scores_into(result, scores, np.arange(num), num_cameras, -1)
    np.fill_diagonal(result, 1)
    return result


def mix_scores_into(
    distances: Distances,
    scores: NDArray[np.float32],
    camids: NDArray[np.integer],
    num_cameras: int,
    weight: float,
) -> None:
    """Replace d by ``d - μ · J`` for images of different cameras.

    J is the similarity of `score_similarities`; it is never held for all pairs.

    Parameters
    ----------
    distances
        (num_images, num_images), contiguous, cosine distances: symmetric afterwards if
        before. Values below 0 become 0, so that no other image comes before the image
        itself (in the published code a near duplicate from another camera can).
    scores
        As for `score_similarities`.
    camids
        (num_images,).
    num_cameras
        What each row of scores sums to.
    weight
        μ.

    Raises
    ------
    ValueError
        If a row of scores does not sum to the number of cameras.
    """
    counts = _counted(scores, num_cameras)
    totals = counts.sum(axis=1, dtype=np.float64)
    pairs = np.stack(np.triu_indices(len(counts) // BLOCK), axis=1) * BLOCK
    cameras = np.ascontiguousarray(camids, np.int64)
    _mix(distances, counts, totals, cameras, np.float32(weight), pairs)


def check_sums(sums: NDArray[np.float64], num_cameras: int) -> None:
    """Raise unless the sum of each row of scores is the number of cameras."""
    away = np.abs(sums - num_cameras)
    if not (away <= TOLERANCE * num_cameras).all():
        wrong = sums[np.argmax(away)]  # finds NaN, too
        raise ValueError(f"a row of scores sums to {wrong:.6g}, not to {num_cameras}")


def _counted(scores: NDArray[np.float32], num_cameras: int) -> NDArray[np.uint32]:
    """Return scores in whole numbers, with rows of 0 up to a whole block."""
    check_sums(scores.sum(axis=1, dtype=np.float64), num_cameras)
    num, dim = scores.shape
    counts = np.zeros((-(-num // BLOCK) * BLOCK, dim), np.uint32)
    for start in range(0, num, ROWS):
        exact = scores[start : start + ROWS] * np.float64(WHOLE / num_cameras)
        counts[start : start + len(exact)] = np.rint(exact, out=exact)
    return counts


@kernel
def _mix(
    distances: Distances,
    counts: NDArray[np.uint32],
    totals: NDArray[np.float64],
    camids: NDArray[np.int64],
    weight: np.float32,
    pairs: NDArray[np.int64],
) -> None:
    """Mix between the images of pairs of blocks, given by their first images.

    A block is paired with itself and with those after it: two images meet once.
    """
    num = len(distances)
    for pair in prange(len(pairs)):
        top, left = pairs[pair]
        for i in range(top, top + BLOCK, 2):
            for j in range(left, left + BLOCK, 4):
                minima = _minima(counts, i, j)
                for k in range(8):
                    first, second = i + k // 4, j + k % 4
                    if first < second < num and camids[first] != camids[second]:
                        maxima = totals[first] + totals[second] - minima[k]
                        share = weight * np.float32(minima[k] / maxima)
                        _subtract(distances, first, second, share)
                        _subtract(distances, second, first, share)


@helper
def _subtract(distances: Distances, i: int, j: int, share: np.float32) -> None:
    value = distances[i, j] - share
    distances[i, j] = np.float32(0) if value < 0 else value


@helper
def _minima(counts: NDArray[np.uint32], i: int, j: int) -> tuple[np.uint32, ...]:
    """Return ``Σ min`` of rows i and i + 1 with each of rows j to j + 3.

    Eight sums and what they are made from stay in 16 registers, with 6 loads for 16
    operations. Sixteen sums do not: 13 in place of 20 G minima a second (AVX2).
    """
    a0, a1 = counts[i], counts[i + 1]
    b0, b1, b2, b3 = counts[j], counts[j + 1], counts[j + 2], counts[j + 3]
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = np.uint32(0)
    for d in range(counts.shape[1]):
        s00 = np.uint32(s00 + min(a0[d], b0[d]))
        s01 = np.uint32(s01 + min(a0[d], b1[d]))
        s02 = np.uint32(s02 + min(a0[d], b2[d]))
        s03 = np.uint32(s03 + min(a0[d], b3[d]))
        s10 = np.uint32(s10 + min(a1[d], b0[d]))
        s11 = np.uint32(s11 + min(a1[d], b1[d]))
        s12 = np.uint32(s12 + min(a1[d], b2[d]))
        s13 = np.uint32(s13 + min(a1[d], b3[d]))
    return s00, s01, s02, s03, s10, s11, s12, s13


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
