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
    distances = _distances(features)
    same = labels[:, None] == labels[None, :]
    positive = distances.masked_fill(~same, -torch.inf).amax(1)
    negative = distances.masked_fill(same, torch.inf).amin(1)
    return F.relu(margin + positive - negative).mean()


def soft_triplet(features: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy between two views' choices of positive over negative.

    With each image's hardest positive p and negative n in `features`, as in
    `batch_hard_triplet`, and ``q(f) = softmax(|f_i - f_p|, |f_i - f_n|)``:
    ``mean_i -Σ q(teacher) log q(features)``; 0 if the batch has one label only.

    Parameters
    ----------
    features
        (num_images, dim), of the view that learns.
    teacher
        (num_images, dim), of the other view; no gradient goes there.
    labels
        (num_images,). Among equal distances the lower index is the hardest.

    References
    ----------
    Ge, Chen, Li: Mutual mean-teaching, ICLR 2020, the soft softmax-triplet loss; as
    used by IIDS (TPAMI 2022).
    """
    distances, taught = _distances(features), _distances(teacher.detach())
    same = labels[:, None] == labels[None, :]
    positive = distances.detach().masked_fill(~same, -torch.inf).argmax(1)
    negative = distances.detach().masked_fill(same, torch.inf).argmin(1)
    pairs = torch.stack([positive, negative], dim=1)
    losses = _soft_cross_entropies(distances.gather(1, pairs), taught.gather(1, pairs))
    # Either every image has a negative in the batch or none has.
    return losses.mean() * (~same).any()


def soft_cross_entropy(logits: Tensor, teacher: Tensor) -> Tensor:
    """Return ``mean_i -Σ_k softmax(teacher)_ik log softmax(logits)_ik``.

    Parameters
    ----------
    logits
        (num_images, num_classes), of the view that learns.
    teacher
        Likewise of the other view; no gradient goes there.

    References
    ----------
    IIDS (TPAMI 2022), self-distillation between two views, at temperature 1.
    """
    return _soft_cross_entropies(logits, teacher.detach()).mean()


def camera_soft_cross_entropy(
    logits: dict[int, Tensor], teacher: dict[int, Tensor]
) -> Tensor:
    """Return C times the mean soft cross entropy, as `camera_cross_entropy` weighs it.

    Parameters
    ----------
    logits, teacher
        By camera, (number of the camera's images in the batch, its num_classes).
    """
    parts = [_soft_cross_entropies(logits[c], teacher[c].detach()) for c in logits]
    return torch.cat(parts).mean() * len(parts)


def _soft_cross_entropies(logits: Tensor, teacher: Tensor) -> Tensor:
    return -(teacher.softmax(1) * logits.log_softmax(1)).sum(1)


def _distances(features: Tensor) -> Tensor:
    """Return Euclidean distances between all pairs, (num_images, num_images)."""
    squares = features.square().sum(1)
    squared = squares[:, None] + squares[None, :] - 2 * features @ features.T
    # The root has no gradient at 0: the floor keeps equal images out of it.
    return squared.clamp(min=1e-12).sqrt()


def camera_cross_entropy(
    logits: dict[int, Tensor], labels: dict[int, Tensor]
) -> Tensor:
    """Return C times the mean cross entropy, each image by its own camera's head.

    With as many images from each of C cameras this is the published sum over cameras
    of their mean cross entropies; otherwise each camera counts in proportion to its
    images rather than alike.

    Parameters
    ----------
    logits
        By camera, (number of the camera's images in the batch, its num_classes).
    labels
        Of these images, by camera.
    """
    total = sum(
        F.cross_entropy(values, labels[camid], reduction="sum")
        for camid, values in logits.items()
    )
    num_images = sum(map(len, logits.values()))
    return torch.as_tensor(total) * len(logits) / num_images
