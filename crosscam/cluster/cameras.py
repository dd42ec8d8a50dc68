"""Pseudo labels within each camera, and across all of them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from crosscam.cluster import on_device
from crosscam.cluster.density import density_pseudo_labels
from crosscam.cluster.distances import cosine_distances
from crosscam.cluster.jaccard import RerankParams, reranked_distances
from crosscam.cluster.pseudo_labels import (
    OUTLIER,
    CutParams,
    PseudoLabels,
    pseudo_labels,
)
from crosscam.cluster.scores import mix_scores_into

# Of memory per pair of images, at the peak of `inter_pseudo_labels`: 4 of the one
# matrix that all steps overwrite, the rest for blocks of rows and, N × D, scores as
# whole numbers. 5.5 at 3,000 images and 4.8 at 6,000, both with few scores; 6.7 at
# 3,000 with 1,500.
PAIR_BYTES = 6
CPU = torch.device("cpu")


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
        if cut.by == "density":
            result[own] = density_pseudo_labels(features[own], rerank, cut)
            continue
        distances = reranked_distances(cosine_distances(features[own]), rerank)
        result[own] = pseudo_labels(distances, cut)
    return result


def check_density(
    rerank: RerankParams, cut: CutParams, mixing_weight: float = 0
) -> None:
    """Refuse what needs distances between all pairs, if clusters are found by density.

    Raises
    ------
    ValueError
        With a line for each parameter that must be 0.
    """
    needed = {"rerank.lambda_": rerank.lambda_, "mix.weight": mixing_weight}
    faults = [
        f"{name}: must be 0 where clusters.by is density, got {value}: set it to 0, or "
        "choose count or quantile"
        for name, value in needed.items()
        if value and cut.by == "density"
    ]
    if faults:
        raise ValueError("\n".join(faults))


def inter_pseudo_labels(
    features: NDArray[np.float32],
    scores: NDArray[np.float32],
    camids: NDArray[np.integer],
    rerank: RerankParams,
    cut: CutParams,
    *,
    num_heads: int,
    mixing_weight: float,
    device: torch.device = CPU,
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
        μ, by which the similarity of scores lowers cross-camera distances; at 0, and
        by density, the scores are not looked at.
    device
        A GPU computes the distances, if it has room for them, and others in their last
        digits; by density the products that neighbours are found by, and the same ones.

    Returns
    -------
    ndarray
        (num_images,), numbered from 0, or OUTLIER.
    """
    if cut.by == "density":
        cuda = device.type == "cuda"
        product = on_device.product(features, device) if cuda else None
        return density_pseudo_labels(features, rerank, cut, product)
    if _computes_distances(device, len(features)):
        distances = on_device.mixed_distances(
            torch.from_numpy(features).to(device),
            torch.from_numpy(scores).to(device),
            camids,
            num_cameras=num_heads,
            weight=mixing_weight,
        )
    else:
        distances = cosine_distances(features)
        if mixing_weight > 0:
            mix_scores_into(distances, scores, camids, num_heads, mixing_weight)
    return pseudo_labels(reranked_distances(distances, rerank), cut)


def _computes_distances(device: torch.device, num_images: int) -> bool:
    return device.type == "cuda" and on_device.fits(num_images, device)
