"""What the intra and the inter round share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscam.cluster.pseudo_labels import PseudoLabels
from crosscam.data.augment import AugmentParams
from crosscam.data.images import decode_all
from crosscam.data.packed import PackedImages
from crosscam.data.samplers import Rows
from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Architecture, Network
from crosscam.params import Seed
from crosscam.train.devices import ComputeParams, Randomness, randomness
from crosscam.train.optimise import Epoch, OptimParams, Phase, TrainingError
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
) -> TrainingSet:
    """Decode all training images.

    Parameters
    ----------
    packed
        The encoded images.
    table
        With columns ``offset``, ``size`` and ``camid``.
    architecture
        Of the network, for the image size.
    compute
        For the size from which on the images are not held in memory.
    """
    size, limit = architecture.image_size, compute.image_cache_gb
    pixels = decode_all(packed, table, size, limit)
    return TrainingSet(pixels, table["camid"].to_numpy())


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
    device = next(network.parameters()).device
    return batch_views(
        network,
        images.pixels[torch.from_numpy(rows)].to(device),
        images.camids[rows],
        setting.augment,
        setting.distil.restyle,
        generator,
        two=two,
    )


class Round(NamedTuple):
    """Outcome of a round: its number from 1, its labels, heads and epochs."""

    number: int
    pseudo_labels: PseudoLabels
    heads: dict[int, Head]
    epochs: list[Epoch]


class Position(NamedTuple):
    """Where a round stands: in the name of its phase, its number, how many there are.

    `stream` sets the random draws of this kind of phase apart from all others.
    """

    name: str
    round: int
    num_rounds: int
    stream: int


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
) -> list[Epoch]:
    """Run all epochs of a phase, logging a line for each.

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

    Raises
    ------
    TrainingError
        With the position, if a loss is not finite.
    """
    epochs = []
    for number in range(phase.num_epochs):
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
        epochs.append(epoch)
    return epochs
