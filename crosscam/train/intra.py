"""The intra-camera round: cluster each camera alone, train one head per camera.

References
----------
Xuan, Zhang: Intra-inter camera similarity for unsupervised person re-identification,
CVPR 2021, section 3.2.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscam.cluster.cameras import check_density, intra_pseudo_labels
from crosscam.cluster.jaccard import RerankParams
from crosscam.cluster.pseudo_labels import CutParams, PseudoLabels
from crosscam.data.samplers import Rows, camera_batches
from crosscam.data.sending import sent
from crosscam.model.heads import Head
from crosscam.model.network import Network
from crosscam.params import Count, Positive, Within
from crosscam.processes import from_first
from crosscam.shares import check_batch
from crosscam.train.devices import device_of, randomness
from crosscam.train.features import raw_features, unit_features
from crosscam.train.losses import camera_cross_entropy, camera_soft_cross_entropy
from crosscam.train.measure import measure_norms, measure_styles
from crosscam.train.optimise import Phase, TrainingError
from crosscam.train.progress import Clusters, Position, Progress, Round
from crosscam.train.rounds import (
    Setting,
    TrainingSet,
    new_head,
    train_epochs,
    views_of,
)
from crosscam.train.signs import camera_signs
from crosscam.train.views import DistilParams, Views

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IntraParams:
    """The intra-camera phase.

    Parameters
    ----------
    rounds
        Of clustering and training, before the first inter-camera round.
    epochs
        Passes over the images in each round; 0 makes clusters and heads alone.
    lr
        Learning rate of the heads.
    batch_per_camera
        Images in a batch, times the number of cameras.
    rerank, clusters
        How each camera's images are clustered.
    """

    rounds: Count
    epochs: Annotated[int, Within(0)]
    lr: Positive
    batch_per_camera: Annotated[int, Within(2)]
    rerank: RerankParams
    clusters: CutParams

    def __post_init__(self) -> None:
        """Check that the clusters can be found from these distances."""
        check_density(self.rerank, self.clusters)


def intra_round(
    network: Network,
    images: TrainingSet,
    params: IntraParams,
    setting: Setting,
    position: Position,
    epochs: int,
    lr: float,
    progress: Progress,
) -> Round:
    """Cluster each camera's images, and train the network with a head per camera.

    Parameters
    ----------
    network
        Is trained in place.
    images
        All training images.
    params, setting
        Of the phase and of the run.
    position
        Of this round.
    epochs, lr
        In place of those of `params`: the rounds between inter-camera rounds have
        their own.
    progress
        Of the run, in which this round may be under way or done.

    Returns
    -------
    Round
        Labels are numbered within each camera; a camera without a cluster has no head.

    Raises
    ------
    TrainingError
        If no camera has a cluster, or the loss is not finite.
    """
    num_cameras = len(np.unique(images.camids))
    check_batch(params.batch_per_camera * num_cameras, "intra.batch_per_camera")
    if before := progress.done(position):
        return before

    def prepare() -> Clusters:
        styled = epochs > 0  # clusters within a camera need no styles
        return _clusters(network, images, params, setting, position, styled=styled)

    labels, heads = progress.clusters(position, prepare)
    device = device_of(network)
    phase = Phase(network, heads.values(), setting.optim, lr=lr, num_epochs=epochs)
    size = params.batch_per_camera * len(heads)

    def loss_of(rows: Rows, generator: torch.Generator) -> Tensor:
        two = setting.distil.cross_entropy > 0
        views = views_of(network, images, rows, setting, generator, two=two)
        own = _by_camera(images.camids[rows], labels[rows], device)
        return _loss(views, heads, own, setting.distil)

    network.train()
    return train_epochs(
        position,
        phase,
        setting,
        lambda rng: camera_batches(images.camids, labels, size, rng),
        loss_of,
        progress,
    )


def _clusters(
    network: Network,
    images: TrainingSet,
    params: IntraParams,
    setting: Setting,
    position: Position,
    *,
    styled: bool,
) -> Clusters:
    """Cluster each camera's images and make its head."""
    # Linear heads start at random: position 0, as the epochs take 1, 2, …
    randomness(setting.seed, position.stream, position.round, 0)
    batch_size = setting.compute.batch_size
    measure_norms(network, images)
    if styled:
        measure_styles(network, images, batch_size)
    raw = raw_features(network, images.pixels, batch_size)
    labels = from_first(
        lambda: intra_pseudo_labels(
            unit_features(raw), images.camids, params.rerank, params.clusters
        )
    )
    camids = sorted({int(camid) for camid in images.camids[labels >= 0]})
    _report(labels, images.camids, position)
    heads, targets = {}, torch.from_numpy(labels).long().to(raw.device)
    for camid in camids:
        own = torch.from_numpy((images.camids == camid) & (labels >= 0)).to(raw.device)
        heads[camid] = new_head(network, raw[own], targets[own], setting)
    return Clusters(labels, heads)


class _Own(NamedTuple):
    """Of a camera's images in a batch: their places there, and their labels."""

    places: Tensor
    labels: Tensor


def _by_camera(
    camids: NDArray[np.int64], labels: PseudoLabels, device: torch.device
) -> dict[int, _Own]:
    """Return each camera's images of a batch, sorted out before they are sent."""
    order = np.argsort(camids, kind="stable")
    both = sent(torch.from_numpy(np.stack([order, labels[order]])), device)
    present, starts = np.unique(camids[order], return_index=True)
    parts = both.tensor_split(starts[1:].tolist(), dim=1)
    return {
        camid: _Own(*part) for camid, part in zip(present.tolist(), parts, strict=True)
    }


def _loss(
    views: Views, heads: dict[int, Head], own: dict[int, _Own], distil: DistilParams
) -> Tensor:
    logits = _logits(views.first, heads, own)
    loss = camera_cross_entropy(logits, {camid: own[camid].labels for camid in own})
    if views.second is None:
        return loss
    second = _logits(views.second, heads, own)
    return loss + distil.cross_entropy * camera_soft_cross_entropy(second, logits)


def _logits(
    features: Tensor, heads: dict[int, Head], own: dict[int, _Own]
) -> dict[int, Tensor]:
    """Return each image's logits by its own camera's head, by camera."""
    return {camid: heads[camid](features[own[camid].places]) for camid in own}


def _report(
    labels: PseudoLabels, camids: NDArray[np.int64], position: Position
) -> None:
    """Log clusters per camera, and what is odd about them; stop if there are none."""
    counts = {
        int(camid): int(labels[camids == camid].max(initial=-1)) + 1
        for camid in sorted(set(camids.tolist()))
    }
    where = f"{position.name} round {position.round + 1}/{position.num_rounds}"
    log.info(
        "%s clusters per camera %s, %d of %d images are outliers",
        where,
        list(counts.values()),
        (labels < 0).sum(),
        len(labels),
    )
    if not any(counts.values()):
        raise TrainingError(
            f"{where}: no camera has a cluster, every image is an outlier: raise "
            "intra.clusters.quantile or eps, lower intra.clusters.num_clusters, or "
            "lower intra.clusters.min_size"
        )
    for sign in camera_signs(labels, camids, "intra"):
        log.warning("%s: %s", where, sign)
