"""Signs that training goes wrong while every number is still finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crosscam.cluster.pseudo_labels import PseudoLabels

# An epoch's mean loss beside the lowest before it in its round. At most 1.02 in the 8
# histories of the first four runs of the ablation.
EXPLODED = 3.0
# Of all images, in one cluster or in none.
MOST = 0.5
# Images of a camera: fewer can well be one person.
FEW = 4


def cluster_signs(labels: PseudoLabels, section: str) -> list[str]:
    """Return what is odd about the clusters of one camera, or of all of them.

    Parameters
    ----------
    labels
        (num_images,), numbered from 0, or OUTLIER.
    section
        Of the parameters that cut them, for the remedy.

    Returns
    -------
    list of str
        A line for each sign, with what to do; none for no images.
    """
    if not len(labels):
        return []
    sizes = np.bincount(labels[labels >= 0])
    cut = f"{section}.clusters"
    if not len(sizes):
        sign = f"every image is an outlier: raise {cut}.quantile or eps, lower "
        return [f"{sign}num_clusters, or lower min_size"]
    signs = []
    outliers = 1 - sizes.sum() / len(labels)
    if outliers > MOST:
        signs.append(
            f"{outliers:.0%} of the images are outliers and are not trained on: raise "
            f"{cut}.quantile or eps, lower num_clusters, or lower min_size"
        )
    if len(sizes) == 1 and len(labels) >= FEW:
        signs.append(
            f"all images are one cluster: lower {cut}.quantile or eps, or raise "
            "num_clusters"
        )
    elif len(sizes) > 1 and sizes.max() > MOST * len(labels):
        signs.append(
            f"{sizes.max() / len(labels):.0%} of the images are one cluster: lower "
            f"{cut}.quantile or eps, or raise num_clusters"
        )
    if sizes.max() == 1:
        signs.append(
            f"every cluster is a single image: raise {cut}.quantile or eps, or lower "
            "num_clusters"
        )
    return signs


def camera_signs(
    labels: PseudoLabels, camids: NDArray[np.integer], section: str
) -> list[str]:
    """Return `cluster_signs` of each camera, after its number from 1.

    Parameters
    ----------
    labels, camids
        (num_images,).
    section
        As for `cluster_signs`.
    """
    return [
        f"camera {camid + 1}: {sign}"
        for camid in np.unique(camids)
        for sign in cluster_signs(labels[camids == camid], section)
    ]


def loss_signs(losses: Sequence[float]) -> list[str]:
    """Return whether the last epoch's loss is far above the lowest before.

    Parameters
    ----------
    losses
        Of the epochs of one round, at least one.
    """
    *before, last = losses
    if before and last > EXPLODED * min(before):
        sign = f"the loss is {last:.4g} after {min(before):.4g} in an earlier epoch"
        return [f"{sign}: lower the learning rate"]
    return []
