"""Pseudo labels against true identities: a diagnosis, never seen by training.

Outliers belong to no cluster. ARI, NMI and purity are taken over the other images, so
they must be read beside the fraction of outliers: a clustering can reach purity 1 by
leaving nearly everything out.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from crosscam.cluster.pseudo_labels import OUTLIER

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Quality:
    """How well pseudo labels agree with the true identities.

    Attributes
    ----------
    ari
        Adjusted Rand index, at most 1; 0 is chance (Hubert and Arabie, Comparing
        Partitions, 1985).
    nmi
        Normalised mutual information in [0, 1], by the arithmetic mean of the two
        entropies (Vinh, Epps and Bailey, JMLR 2010).
    purity
        Fraction of images in [0, 1] that show the most frequent identity of their
        cluster; 1 also if every image is a cluster of its own.
    num_clusters
        Clusters, outliers not counted.
    outliers
        Fraction of all images in [0, 1] that belong to no cluster.
    largest
        Fraction of the clustered images in [0, 1] that the largest cluster holds.
    """

    ari: float
    nmi: float
    purity: float
    num_clusters: int
    outliers: float
    largest: float


def global_quality(pseudo_labels: Integers, pids: Integers) -> Quality:
    """Compare pseudo labels that hold across cameras with the truth.

    Parameters
    ----------
    pseudo_labels
        Shape (num_images,), clusters from 0 or `OUTLIER`; which cluster has which
        number does not matter.
    pids
        Shape (num_images,), true identities.

    Returns
    -------
    Quality
        Where no image is clustered (none at all, or all outliers), ARI, NMI, purity
        and `largest` are 0: nothing was put together rightly.

    Raises
    ------
    ValueError
        If the two do not have the same length.
    """
    _check_lengths(pseudo_labels, pids)
    clustered = pseudo_labels != OUTLIER
    num_clustered = int(clustered.sum())
    outliers = 1 - num_clustered / max(len(pids), 1)
    if not num_clustered:
        return Quality(0.0, 0.0, 0.0, 0, outliers, 0.0)
    labels, truth = pseudo_labels[clustered], pids[clustered]
    # (num_identities, num_clusters): if dense, 5 GB for 500,000 images of 25,000 pids.
    counts = contingency_matrix(truth, labels, sparse=True)
    with warnings.catch_warnings():
        # Many small clusters are nothing to warn about here.
        warnings.filterwarnings("ignore", "The number of unique classes is greater")
        ari = adjusted_rand_score(truth, labels)
        nmi = normalized_mutual_info_score(truth, labels)
    return Quality(
        ari=float(ari),
        nmi=float(nmi),
        purity=float(counts.max(axis=0).sum() / num_clustered),
        num_clusters=counts.shape[1],
        outliers=outliers,
        largest=float(counts.sum(axis=0).max() / num_clustered),
    )


def camera_quality(
    pseudo_labels: Integers, pids: Integers, camids: Integers
) -> Quality:
    """Compare pseudo labels that hold within one camera only with the truth.

    Every camera is compared by itself. ARI, NMI, purity and `largest` are means over
    the cameras, weighted by their clustered images; `num_clusters` is the sum and
    `outliers` the fraction of all images.

    Parameters
    ----------
    pseudo_labels
        Shape (num_images,). Equal labels in two cameras mean nothing.
    pids, camids
        Shape (num_images,), true identities and cameras.

    Raises
    ------
    ValueError
        If the three do not have the same length.
    """
    _check_lengths(pseudo_labels, pids, camids)
    cameras = [camids == camid for camid in np.unique(camids)]
    parts = [global_quality(pseudo_labels[rows], pids[rows]) for rows in cameras]
    weights = [int((pseudo_labels[rows] != OUTLIER).sum()) for rows in cameras]
    num_clustered = sum(weights)

    def mean(values: list[float]) -> float:
        return float(np.dot(weights, values)) / max(num_clustered, 1)

    return Quality(
        ari=mean([part.ari for part in parts]),
        nmi=mean([part.nmi for part in parts]),
        purity=mean([part.purity for part in parts]),
        num_clusters=sum(part.num_clusters for part in parts),
        outliers=1 - num_clustered / max(len(pids), 1),
        largest=mean([part.largest for part in parts]),
    )


def quality_history(
    intra: Integers,
    inter: Integers,
    between: Integers | None,
    pids: Integers,
    camids: Integers,
) -> list[dict[str, Any]]:
    """Return the quality of all rounds in the order in which they were run.

    Parameters
    ----------
    intra
        Pseudo labels within cameras, shape (num_rounds, num_images).
    inter
        Pseudo labels across cameras, shape (num_rounds, num_images).
    between
        Pseudo labels within cameras of the phases that followed the first, second, ...
        round of `inter`, shape (num_phases, num_images), if there were any.
    pids, camids
        Shape (num_images,), true identities and cameras.

    Returns
    -------
    list of dict
        The fields of `Quality` with ``step`` from 1, ``phase`` (``intra`` or
        ``inter``) and ``round``: its number within its stage, which for the phase
        after the first round of `inter` is 2, as in the log.
    """
    phases = [("intra", number, labels) for number, labels in enumerate(intra, 1)]
    for number, labels in enumerate(inter, 1):
        phases.append(("inter", number, labels))
        if between is not None and number <= len(between):
            phases.append(("intra", number + 1, between[number - 1]))
    records: list[dict[str, Any]] = []
    for step, (phase, number, labels) in enumerate(phases, start=1):
        if phase == "intra":
            quality = camera_quality(labels, pids, camids)
        else:
            quality = global_quality(labels, pids)
        place = {"step": step, "phase": phase, "round": number}
        records.append({**place, **asdict(quality)})
    return records


def _check_lengths(pseudo_labels: Integers, *others: Sequence[Any] | Integers) -> None:
    lengths = [len(pseudo_labels), *map(len, others)]
    if len(set(lengths)) > 1:
        raise ValueError(
            "pseudo labels, identities and cameras: must have one length, got "
            f"{lengths}: they belong to different training tables"
        )
