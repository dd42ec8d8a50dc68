"""Signs that training goes wrong while every number is still finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crosscam.cluster.pseudo_labels import PseudoLabels

# An epoch's mean loss beside the lowest before it in its round, and beside that of the
# same epoch in the round before. At most 1.004 and 1.17 in 48 runs of the ablation.
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


def dead_cameras(
    labels: PseudoLabels, camids: NDArray[np.integer], section: str
) -> list[str]:
    """Return the cameras, by number from 1, of whose images none is in a cluster.

    Parameters
    ----------
    labels, camids
        (num_images,), clusters of all cameras together.
    section
        As for `cluster_signs`.
    """
    seen = np.unique(camids[labels >= 0])
    return [
        f"camera {camid + 1}: no image is in a cluster, none is trained on: raise "
        f"{section}.clusters.quantile or eps, lower num_clusters, or lower min_size"
        for camid in np.setdiff1d(camids, seen)
    ]


def loss_signs(losses: Sequence[float], before: Sequence[float] = ()) -> list[str]:
    """Return whether the last epoch's loss is far above what it was.

    That is the lowest in its round, or that of the same epoch in the round before:
    the first epoch of a round is above the last of another in sound runs, too.

    Parameters
    ----------
    losses
        Of the epochs of one round, at least one.
    before
        Of those of the round of this kind before it.
    """
    *earlier, last = losses
    same = before[len(earlier)] if len(before) > len(earlier) else 0.0
    if earlier and last > EXPLODED * min(earlier):
        lowest, where = min(earlier), "in an earlier epoch"
    elif 0 < EXPLODED * same < last:  # 0: one cluster per camera, nothing to tell apart
        lowest, where = same, "in this epoch of the round before"
    else:
        return []
    return [
        f"the loss is {last:.4g} after {lowest:.4g} {where}: lower the learning rate"
    ]
