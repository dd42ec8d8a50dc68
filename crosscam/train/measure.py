"""Statistics of norms and styles of cameras, measured by passes over the images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosscam.data.augment import normalise
from crosscam.data.sending import sent
from crosscam.model.aibn import AIBN, MOMENTUM
from crosscam.model.network import Network
from crosscam.model.tnorm import CameraStyles
from crosscam.shares import dealt, part, passes
from crosscam.train.devices import device_of
from crosscam.train.rounds import TrainingSet

# Of 199 to 234 images per camera of the synthetic dataset, those of 128 put the mAP of
# the trained default network 0.07 points off, 64 0.7, 32 0.3, 16 0.9 and 8 2.1.
PER_CAMERA = 128
# Of images whose common statistics a norm starts from. A number of its own, as it is
# part of the method: the size of other passes moves last digits alone.
NORM_BATCH = 256


@torch.no_grad()
def measure_norms(
    network: Network, images: TrainingSet, batch_size: int = NORM_BATCH
) -> None:
    """Set the running statistics of AIBN that has none yet.

    A layer norm has no statistics to hand over, and those of an untrained batch norm
    are not those of any image. Each batch is normalised by its own, and all batches
    count alike. Nothing is done where AIBN took over from a trained batch norm.

    Parameters
    ----------
    network
        Is left in evaluation mode.
    images
        All training images.
    batch_size
        Images in a pass. Batches are runs of rows, which are in no order; an
        incomplete last one is left out.
    """
    norms = [m for m in network.backbone.modules() if isinstance(m, AIBN)]
    fresh = [norm for norm in norms if _is_fresh(norm)]
    if not fresh:
        return
    network.eval()
    for norm in fresh:
        norm.train().momentum = None
    num_images = len(images.pixels)
    size = min(batch_size, num_images)
    for start in range(0, num_images - size + 1, size):
        with dealt(size):
            own = part(size)
            rows = slice(start + own.start, start + own.stop)
            network(_normalised(network, images.pixels, rows))
    for norm in fresh:
        norm.eval().momentum = MOMENTUM


def _is_fresh(norm: AIBN) -> bool:
    """Return whether a norm's statistics are still those that all start with."""
    # Trained weights can come without the count: in timm's mobilenetv2_100 it is 0.
    fresh_mean, fresh_var = norm.running_mean == 0, norm.running_var == 1
    return not norm.num_batches_tracked and bool((fresh_mean & fresh_var).all())


@torch.no_grad()
def measure_styles(network: Network, images: TrainingSet, batch_size: int) -> None:
    """Set the moments of each camera's style to those of its images by this network.

    One pass takes the images as they are. Then, layer by layer, the images in the
    styles of all cameras come as far as the layer, for the moments of what arrives.
    A camera with more than `PER_CAMERA` images is measured on as many, evenly spaced
    over its rows: all of them in all styles would be the longest passes of a round.
    Nothing is done for a network without styles.

    Parameters
    ----------
    network
        Is left in evaluation mode.
    images
        All training images.
    batch_size
        Images in a pass, each in the style of each camera counted.
    """
    styles = network.styles
    if styles is None:
        return
    network.eval()
    chosen = _some_of_each(images.camids)
    pixels = images.pixels[sent(torch.from_numpy(chosen), images.pixels.device)]
    sources = sent(styles.positions(images.camids[chosen]), device_of(network))
    sums = styles.empty_sums()
    for rows, batch in _batches(network, pixels, batch_size):
        with styles.summed(sources[rows], sums):
            network(batch)
    for total in sums:
        total.store()
    _measure_arriving(network, styles, pixels, sources, batch_size)


def _some_of_each(camids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return rows of at most `PER_CAMERA` images of each camera, ascending."""
    chosen = []
    for camid in np.unique(camids):
        rows = np.flatnonzero(camids == camid)
        num = min(len(rows), PER_CAMERA)
        chosen.append(rows[np.arange(num) * len(rows) // num])
    return np.sort(np.concatenate(chosen))


def _measure_arriving(
    network: Network,
    styles: CameraStyles,
    pixels: Tensor,
    sources: Tensor,
    batch_size: int,
) -> None:
    size = max(1, batch_size // len(styles.camids))
    for number, moments in enumerate(styles.moments()):
        if number == 0:
            moments.arrive_as_they_are()
            continue
        sums = moments.arriving_sums()
        for rows, batch in _batches(network, pixels, size):
            with styles.arriving(sources[rows], number, sums):
                network(batch)
        sums.store()


def _batches(
    network: Network, pixels: Tensor, batch_size: int
) -> Iterator[tuple[slice, Tensor]]:
    for start in passes(len(pixels), batch_size):
        rows = slice(start, start + batch_size)
        yield rows, _normalised(network, pixels, rows)


def _normalised(network: Network, pixels: Tensor, rows: slice) -> Tensor:
    chosen = sent(pixels[rows], device_of(network))
    return normalise(chosen, network.mean, network.std)
