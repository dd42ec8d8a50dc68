"""What the intra and the inter round share."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscam.cluster.cameras import PAIR_BYTES
from crosscam.cluster.pseudo_labels import CutParams
from crosscam.data.augment import AugmentParams
from crosscam.data.images import decode_all
from crosscam.data.packed import PackedImages
from crosscam.data.samplers import Rows
from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Architecture, Network
from crosscam.params import Seed
from crosscam.processes import is_first
from crosscam.room import RoomError, check_memory
from crosscam.shares import part
from crosscam.train.devices import (
    ComputeParams,
    Randomness,
    chosen_device,
    device_of,
    randomness,
)
from crosscam.train.optimise import OptimParams, Phase, TrainingError
from crosscam.train.progress import Position, Progress, Round
from crosscam.train.residence import resident, taken
from crosscam.train.signs import loss_signs
from crosscam.train.views import DistilParams, Views, batch_views

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """What every round of a run has in common: top-level keys of the parameters.

    Parameters
    ----------
    seed
        Of the run.
    augment, optim, head, distil
        Their parameters.
    compute
        Where and how fast to compute.
    """

    seed: Seed
    augment: AugmentParams
    optim: OptimParams
    head: HeadParams
    distil: DistilParams
    compute: ComputeParams


class TrainingSet(NamedTuple):
    """All training images: pixels (num_images, 3, height, width) uint8, camids."""

    pixels: Tensor
    camids: NDArray[np.int64]


def training_set(
    packed: PackedImages,
    table: pd.DataFrame,
    architecture: Architecture,
    compute: ComputeParams,
    clusters: CutParams,
    *,
    across: bool = False,
) -> TrainingSet:
    """Decode all training images, and put them on the device that computes.

    Parameters
    ----------
    packed
        The encoded images.
    table
        With columns ``offset``, ``size`` and ``camid``.
    architecture
        Of the network, for the image size.
    compute
        For the device, and the size from which on the images are not held in memory.
    clusters
        How this stage finds them: by density without distances between all pairs.
    across
        Cameras, and not within each.

    Raises
    ------
    RoomError
        If there is not the memory to cluster as many images together as this stage
        does.
    """
    size, limit = architecture.image_size, compute.image_cache_gb
    if is_first():  # the others do not cluster
        images = 3 * math.prod(size) * len(table)
        held = images if images <= 1e9 * limit else 0  # as `decode_all` does
        camids = table["camid"].to_numpy()
        _check_pairs(camids, clusters, held, across=across)
    pixels = resident(
        decode_all(packed, table, size, limit), chosen_device(compute.device)
    )
    return TrainingSet(pixels, table["camid"].to_numpy())


def _check_pairs(
    camids: NDArray[np.int64], clusters: CutParams, held: int, *, across: bool
) -> None:
    """Raise if the distances do not fit that this stage needs; warn of the next one's.

    Beside them are the images, of so many bytes `held`.

    The intra-camera stage does not depend on how the inter-camera one clusters, but can
    take a day before that one says that it lacks the memory.
    """
    most = len(camids) if across else int(np.bincount(camids).max())
    if clusters.by != "density":
        section = "inter" if across else "intra"
        check_memory(
            PAIR_BYTES * most**2 + held,
            f"the distances between {most} images are held all at once: train on fewer "
            "(split.window), or on a larger machine, or find clusters by density "
            f"({section}.clusters.by)",
        )
    if not across:
        try:
            check_memory(
                PAIR_BYTES * len(camids) ** 2 + held,
                f"the next stage holds the distances between {len(camids)} images all "
                "at once, unless inter.clusters.by is density",
            )
        except RoomError as error:
            log.warning("%s", error)


def views_of(
    network: Network,
    images: TrainingSet,
    rows: Rows,
    setting: Setting,
    generator: torch.Generator,
    *,
    two: bool,
) -> Views:
    """Return the features of rows of the training set, see `batch_views`."""
    return batch_views(
        network,
        taken(images.pixels, rows[part(len(rows))], device_of(network)),
        images.camids[rows],
        setting.augment,
        setting.distil.restyle,
        generator,
        two=two,
    )


def new_head(network: Network, raw: Tensor, labels: Tensor, setting: Setting) -> Head:
    """Return a head over the labels, its cosine weights at the class means.

    Parameters
    ----------
    network
        Whose features it gets.
    raw
        (num_images, feature_size), features of labelled images.
    labels
        (num_images,), in [0, num_classes), each present.
    setting
        Of the run.
    """
    neck = network.architecture.neck == "head"
    num_classes = int(labels.max()) + 1
    head = Head(network.feature_size, num_classes, setting.head, neck)
    head.to(raw.device).start_at(raw, labels)
    return head


def train_epochs(
    position: Position,
    phase: Phase,
    setting: Setting,
    batches_of: Callable[[np.random.Generator], list[Rows]],
    loss_of: Callable[[Rows, torch.Generator], Tensor],
    progress: Progress,
) -> Round:
    """Run the epochs of a phase that are not done, logging a line for each.

    Parameters
    ----------
    position
        Of the round; with the epoch's number it determines all random draws.
    phase
        What is trained.
    setting
        Of the run.
    batches_of
        From a generator to the batches of an epoch.
    loss_of
        From row numbers and a generator to a scalar loss.
    progress
        Where the round under way is this one.

    Returns
    -------
    Round
        With all its epochs.

    Raises
    ------
    TrainingError
        With the position, if a loss is not finite.
    """
    for number in range(len(progress.begin(phase)), phase.num_epochs):
        draws: Randomness = randomness(
            setting.seed, position.stream, position.round, number + 1
        )
        where = f"{position.name} round {position.round + 1}/{position.num_rounds}"
        try:
            epoch = phase.run_epoch(
                number,
                batches_of(draws.numpy),
                lambda rows, draws=draws: loss_of(rows, draws.torch),  # type: ignore[misc]
            )
        except TrainingError as error:
            raise TrainingError(f"{where} {error}") from error
        log.info(
            "%s epoch %d/%d loss %.4f lr %.2e %d images %.0f images/s",
            where,
            number + 1,
            phase.num_epochs,
            epoch.loss,
            epoch.lr,
            epoch.num_images,
            epoch.images_per_second,
        )
        progress.add(epoch)
        for sign in loss_signs(*progress.losses()):
            log.warning("%s epoch %d: %s", where, number + 1, sign)
    return progress.rounds[-1][1]
