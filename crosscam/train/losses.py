"""Losses as functions of features and pseudo labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import Tensor


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Return the mean hinge over each image's hardest positive and negative.

    ``mean_i max(0, margin + max_{p: y_p = y_i} |f_i - f_p| - min_{n: y_n ≠ y_i}
    |f_i - f_n|)`` with Euclidean distances. An image without a negative in the batch
    adds 0; the image itself is its own positive where there is no other.

    Parameters
    ----------
    features
        (num_images, dim).
    labels
        (num_images,).
    margin
        In units of the features.

    Notes
    -----
    Squared distances are differences of float32 products: between equal images they
    come out at up to some 10^-7 of the squared length instead of 0.

    References
    ----------
    Hermans, Beyer, Leibe: In defense of the triplet loss for person
    re-identification, 2017, eq. (5).
    """
    squares = features.square().sum(1)
    squared = squares[:, None] + squares[None, :] - 2 * features @ features.T
    # The root has no gradient at 0: the floor keeps equal images out of it.
    distances = squared.clamp(min=1e-12).sqrt()
    same = labels[:, None] == labels[None, :]
    positive = distances.masked_fill(~same, -torch.inf).amax(1)
    negative = distances.masked_fill(same, torch.inf).amin(1)
    return F.relu(margin + positive - negative).mean()


def camera_cross_entropy(
    logits: dict[int, Tensor], labels: Tensor, camids: Tensor
) -> Tensor:
    """Return C times the mean cross entropy, each image by its own camera's head.

    With as many images from each of C cameras this is the published sum over cameras
    of their mean cross entropies; otherwise each camera counts in proportion to its
    images rather than alike.

    Parameters
    ----------
    logits
        By camera, (number of the camera's images in the batch, its num_classes), rows
        in the order of the batch.
    labels, camids
        (num_images,).
    """
    total = sum(
        F.cross_entropy(values, labels[camids == camid], reduction="sum")
        for camid, values in logits.items()
    )
    return torch.as_tensor(total) * len(logits) / len(labels)
