"""Pseudo labels within each camera, and across all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crosscam.cluster.distances import cosine_distances
from crosscam.cluster.jaccard import RerankParams, reranked_distances
from crosscam.cluster.pseudo_labels import (
    OUTLIER,
    CutParams,
    PseudoLabels,
    pseudo_labels,
)
from crosscam.cluster.scores import mixed_distances, score_similarities

# Of memory per pair of images, at the peak of `inter_pseudo_labels`: 20.9 at 2,000
# images.
PAIR_BYTES = 22


def intra_pseudo_labels(
    features: NDArray[np.float32],
    camids: NDArray[np.integer],
    rerank: RerankParams,
    cut: CutParams,
) -> PseudoLabels:
    """Return pseudo labels of each camera's images, found without the others.

    Parameters
    ----------
    features
        (num_images, dim), L2-normalised.
    camids
        (num_images,).
    rerank, cut
        How to measure and where to cut.

    Returns
    -------
    ndarray
        (num_images,), numbered from 0 within each camera, or OUTLIER: equal labels
        mean nothing across cameras.
    """
    result = np.full(len(features), OUTLIER, np.int32)
    for camid in np.unique(camids):
        own = np.flatnonzero(camids == camid)
        distances = reranked_distances(cosine_distances(features[own]), rerank)
        result[own] = pseudo_labels(distances, cut)
    return result


def inter_pseudo_labels(
    features: NDArray[np.float32],
    scores: NDArray[np.float32],
    camids: NDArray[np.integer],
    rerank: RerankParams,
    cut: CutParams,
    *,
    num_heads: int,
    mixing_weight: float,
) -> PseudoLabels:
    """Return pseudo labels across all cameras.

    Parameters
    ----------
    features
        (num_images, dim), L2-normalised.
    scores
        (num_images, number of classes of all heads), of `num_heads` softmaxes.
    camids
        (num_images,).
    rerank, cut
        How to measure and where to cut.
    num_heads
        What each row of `scores` sums to.
    mixing_weight
        μ, by which the similarity of scores lowers cross-camera distances; at 0 the
        scores are not looked at.

    Returns
    -------
    ndarray
        (num_images,), numbered from 0, or OUTLIER.
    """
    distances = cosine_distances(features)
    if mixing_weight > 0:
        similarities = score_similarities(scores, num_heads)
        distances = mixed_distances(distances, similarities, camids, mixing_weight)
    return pseudo_labels(reranked_distances(distances, rerank), cut)
