"""The views of a batch: augmented, re-styled, and a second one to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscam.data.augment import AugmentParams, augment
from crosscam.model.moments import STAYS, Style
from crosscam.model.network import Network
from crosscam.model.tnorm import CameraStyles
from crosscam.params import Fraction, NonNegative
from crosscam.shares import gathered, part


@dataclass(frozen=True)
class DistilParams:
    """Self-distillation: a second view of each image learns from the first (IIDS).

    Parameters
    ----------
    cross_entropy
        Weight of the soft cross entropy between the views.
    triplet
        Weight of the soft triplet loss between them, across cameras only.
    restyle
        Probability that an image gets the style of a camera drawn at random, its own
        included: in the second view, or in the only one. There is one where both
        weights are 0, and within cameras where `cross_entropy` is. Not looked at
        without camera styles.
    """

    cross_entropy: NonNegative
    triplet: NonNegative
    restyle: Fraction


class Views(NamedTuple):
    """Features of the images of a batch in one or two views, (num_images, dim) each."""

    first: Tensor
    second: Tensor | None


def batch_views(
    network: Network,
    pixels: Tensor,
    camids: NDArray[np.int64],
    augmentation: AugmentParams,
    restyle: float,
    generator: torch.Generator,
    *,
    two: bool,
) -> Views:
    """Return the features of a batch, also of those images that other processes have.

    Parameters
    ----------
    network
        In training mode.
    pixels
        (num_here, 3, height, width), uint8, this process's part of the batch.
    camids
        (num_images,), of the whole batch.
    augmentation
        Drawn for each view anew.
    restyle
        Probability of another style in the last view.
    generator
        A CPU generator; the only source of randomness.
    two
        Whether there is a second view.
    """

    def view(restyled: float) -> Tensor:
        batch = augment(pixels, augmentation, network.mean, network.std, generator)
        if network.styles is None:
            return gathered(cast("Tensor", network(batch)), len(camids))
        style = _drawn(network.styles, camids, restyled, generator)
        with network.styles.applied(style):
            return gathered(cast("Tensor", network(batch)), len(camids))

    if not two:
        return Views(view(restyle), None)
    return Views(view(0), view(restyle))


def _drawn(
    styles: CameraStyles,
    camids: NDArray[np.int64],
    probability: float,
    generator: torch.Generator,
) -> Style:
    """Draw which images of a batch get another style, and which, its own included.

    Returns what is drawn for this process's part.
    """
    sources = styles.positions(camids)
    num = len(styles.camids)
    targets = torch.randint(num, sources.shape, generator=generator)
    stays = torch.rand(sources.shape, generator=generator) >= probability
    targets, own = targets.masked_fill(stays, STAYS), part(len(sources))
    return Style(sources[own], targets[own])
