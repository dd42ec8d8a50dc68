"""The inter-camera round: cluster all images together, train one head over all.

References
----------
Xuan, Zhang: Intra-inter camera similarity for unsupervised person re-identification,
CVPR 2021, sections 3.3 and 3.4.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from crosscam.cluster.cameras import check_density, inter_pseudo_labels
from crosscam.cluster.jaccard import RerankParams
from crosscam.cluster.pseudo_labels import CutParams, PseudoLabels
from crosscam.cluster.scores import mixing_weight
from crosscam.data.samplers import Rows, identity_batches
from crosscam.data.sending import sent
from crosscam.model.heads import ALL_CAMERAS, Head
from crosscam.model.network import Network
from crosscam.params import Count, Fraction, NonNegative, Positive, Within
from crosscam.processes import from_first
from crosscam.shares import check_batch
from crosscam.train.devices import device_of, randomness
from crosscam.train.features import styled_features, unit_features
from crosscam.train.losses import (
    batch_hard_triplet,
    soft_cross_entropy,
    soft_triplet,
)
from crosscam.train.measure import measure_styles
from crosscam.train.optimise import Phase, TrainingError
from crosscam.train.progress import Clusters, Position, Progress, Round
from crosscam.train.rounds import (
    Setting,
    TrainingSet,
    new_head,
    train_epochs,
    views_of,
)
from crosscam.train.signs import cluster_signs, dead_cameras
from crosscam.train.views import DistilParams, Views

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MixParams:
    """Share of the score similarity: ``weight · (1 - t / T)^power`` in round t of T."""

    weight: NonNegative
    power: NonNegative


@dataclass(frozen=True)
class TripletParams:
    """The batch-hard triplet loss beside the cross entropy; weight 0 leaves it out."""

    weight: NonNegative
    margin: NonNegative


@dataclass(frozen=True)
class InterParams:
    """The inter-camera phase.

    Parameters
    ----------
    rounds
        T, of clustering and training.
    epochs
        Passes over the images in each round.
    intra_epochs
        Of another intra-camera phase before each round but the first. With 0 nothing is
        trained in it; cosine heads are made from new clusters of each camera.
    lr
        Learning rate of the head in the first round.
    lr_decay
        Its factor from a round to the next, and that of the intra-camera phases in
        between; 1 as published.
    num_pids_per_batch, num_instances
        P pseudo identities of K images each.
    rerank, clusters, mix, triplet
        Of the distances, the clustering, the score similarity and the triplet loss.
    """

    rounds: Count
    epochs: Count
    intra_epochs: Annotated[int, Within(0)]
    lr: Positive
    lr_decay: Fraction
    num_pids_per_batch: Annotated[int, Within(2)]
    num_instances: Annotated[int, Within(2)]
    rerank: RerankParams
    clusters: CutParams
    mix: MixParams
    triplet: TripletParams

    def __post_init__(self) -> None:
        """Check that the clusters can be found from these distances."""
        check_density(self.rerank, self.clusters, self.mix.weight)


def inter_round(
    network: Network,
    heads: Mapping[int, Head],
    images: TrainingSet,
    params: InterParams,
    setting: Setting,
    position: Position,
    progress: Progress,
) -> Round:
    """Cluster all images across cameras, and train the network on the clusters.

    Parameters
    ----------
    network
        Is trained in place.
    heads
        Of the last intra-camera phase, by camera: they give the score vectors.
    images
        All training images.
    params, setting
        Of the phase and of the run.
    position
        Of this round.
    progress
        Of the run, in which this round may be under way or done.

    Raises
    ------
    TrainingError
        If there are fewer than two clusters, or the loss is not finite.
    """
    num = params.num_pids_per_batch * params.num_instances
    check_batch(num, "inter.num_instances")
    if before := progress.done(position):
        return before
    clusters = progress.clusters(
        position,
        lambda: _clusters(network, heads, images, params, setting, position),
    )
    return train_on(network, clusters, images, params, setting, position, progress)


def _clusters(
    network: Network,
    heads: Mapping[int, Head],
    images: TrainingSet,
    params: InterParams,
    setting: Setting,
    position: Position,
) -> Clusters:
    """Cluster all images and make the one head."""
    # Linear heads start at random: position 0, as the epochs take 1, 2, …
    randomness(setting.seed, position.stream, position.round, 0)
    batch_size = setting.compute.batch_size
    measure_styles(network, images, batch_size)
    weight = mixing_weight(
        params.mix.weight, params.mix.power, position.round, position.num_rounds
    )
    # Nobody looks at scores of no weight, and they grow with images times classes.
    scoring = heads if weight > 0 else {}
    raw, scores = styled_features(
        network, images.pixels, images.camids, batch_size, scoring
    )
    labels = from_first(
        lambda: inter_pseudo_labels(
            unit_features(raw),
            scores,
            images.camids,
            params.rerank,
            params.clusters,
            num_heads=len(heads),
            mixing_weight=weight,
            device=raw.device,
        )
    )
    _report(labels, images.camids, position)
    return clusters_of(network, raw, labels, setting)


def clusters_of(
    network: Network, raw: Tensor, labels: PseudoLabels, setting: Setting
) -> Clusters:
    """Return labels, wherever they come from, with a head over them.

    Parameters
    ----------
    network
        Of the features.
    raw
        (num_images, feature_size), the features of all images by this network.
    labels
        (num_images,), numbered from 0, or OUTLIER; at least two of them.
    setting
        Of the run.
    """
    targets = torch.from_numpy(labels).long().to(raw.device)
    head = new_head(network, raw[targets >= 0], targets[targets >= 0], setting)
    return Clusters(labels, {ALL_CAMERAS: head})


def train_on(
    network: Network,
    clusters: Clusters,
    images: TrainingSet,
    params: InterParams,
    setting: Setting,
    position: Position,
    progress: Progress,
) -> Round:
    """Train the network with one head over labels, wherever they come from.

    Parameters
    ----------
    network
        Is trained in place.
    clusters
        Of `clusters_of`, those of the round under way.
    images
        All training images.
    params, setting
        Of the phase and of the run.
    position
        Of this round.
    progress
        Of the run.

    Raises
    ------
    TrainingError
        If the loss is not finite.
    """
    labels, head = clusters.pseudo_labels, clusters.heads[ALL_CAMERAS]
    device = device_of(network)
    lr = params.lr * params.lr_decay**position.round
    phase = Phase(network, [head], setting.optim, lr=lr, num_epochs=params.epochs)

    def loss_of(rows: Rows, generator: torch.Generator) -> Tensor:
        two = setting.distil.cross_entropy > 0 or setting.distil.triplet > 0
        views = views_of(network, images, rows, setting, generator, two=two)
        own = sent(torch.from_numpy(labels[rows]).long(), device)
        return _loss(views, head, own, params.triplet, setting.distil)

    network.train()
    return train_epochs(
        position,
        phase,
        setting,
        lambda rng: identity_batches(
            labels, params.num_pids_per_batch, params.num_instances, rng
        ),
        loss_of,
        progress,
    )


def _loss(
    views: Views,
    head: Head,
    labels: Tensor,
    triplet: TripletParams,
    distil: DistilParams,
) -> Tensor:
    first, second = views
    logits = head(first)
    loss = cross_entropy(logits, labels)
    if triplet.weight > 0:
        loss = loss + triplet.weight * batch_hard_triplet(first, labels, triplet.margin)
    if second is None:
        return loss
    if distil.cross_entropy > 0:
        loss = loss + distil.cross_entropy * soft_cross_entropy(head(second), logits)
    if distil.triplet > 0:
        loss = loss + distil.triplet * soft_triplet(second, first, labels)
    return loss


def _report(
    labels: PseudoLabels, camids: NDArray[np.integer], position: Position
) -> None:
    """Log the number of clusters, and what is odd; stop if none can be learned from."""
    num_clusters = int(labels.max(initial=-1)) + 1
    where = f"{position.name} round {position.round + 1}/{position.num_rounds}"
    log.info(
        "%s %d clusters, %d of %d images are outliers",
        where,
        num_clusters,
        (labels < 0).sum(),
        len(labels),
    )
    if num_clusters < 2:
        raise TrainingError(
            f"{where}: needs two clusters, got {num_clusters}: change "
            "inter.clusters.num_clusters, quantile or eps, or lower "
            "inter.clusters.min_size"
        )
    if num_clusters == (labels >= 0).sum():
        raise TrainingError(
            f"{where}: needs a cluster of two images, got {num_clusters} of one each: "
            "lower inter.clusters.num_clusters or raise its quantile or eps"
        )
    signs = cluster_signs(labels, "inter") + dead_cameras(labels, camids, "inter")
    for sign in signs:
        log.warning("%s: %s", where, sign)
