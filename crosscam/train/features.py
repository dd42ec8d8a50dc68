"""Features and score vectors of all images, without augmentation.

With camera styles, an image is seen in the style of each camera in turn: its feature
is the mean over all styles, and camera c's head scores it in camera c's style (IIDS).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from numpy.typing import NDArray
from torch import Tensor

from crosscam.data.augment import normalise
from crosscam.data.sending import sent
from crosscam.model.heads import Head
from crosscam.model.network import Network
from crosscam.processes import is_first
from crosscam.shares import at_first, collected, filled, passes
from crosscam.train.devices import device_of


@torch.inference_mode()
def raw_features(network: Network, images: Tensor, batch_size: int) -> Tensor:
    """Return the mean feature of each image and its mirror image.

    Parameters
    ----------
    network
        Is left in evaluation mode.
    images
        (num_images, 3, height, width), uint8.
    batch_size
        Images in a pass; the result does not depend on it, but for the last digits.

    Returns
    -------
    Tensor
        (num_images, feature_size), float32, not normalised, on the network's device.
    """
    network.eval()
    result = torch.empty(len(images), network.feature_size, device=device_of(network))
    for start in passes(len(images), batch_size):
        pixels = images[start : start + batch_size]
        result[start : start + batch_size] = _mirrored(network, pixels)[0]
    return filled(result, batch_size)


class StyledFeatures(NamedTuple):
    """Features and scores over the styles of all cameras.

    Parameters
    ----------
    raw
        (num_images, feature_size), mean over the styles, not normalised.
    scores
        As `score_vectors`; no columns if there are no heads. Of several processes the
        first one has those of all images, any other some or none.
    """

    raw: Tensor
    scores: NDArray[np.float32]


@torch.inference_mode()
def styled_features(
    network: Network,
    images: Tensor,
    camids: NDArray[np.integer],
    batch_size: int,
    heads: Mapping[int, Head],
) -> StyledFeatures:
    """Return features and scores of images seen in the styles of all cameras.

    Without camera styles in the network: `raw_features` and `score_vectors`.

    Parameters
    ----------
    network
        Is left in evaluation mode.
    images
        (num_images, 3, height, width), uint8.
    camids
        (num_images,), the images' own cameras.
    batch_size
        Images in a pass, each in the style of each camera counted.
    heads
        By camera.

    Raises
    ------
    ParamsError
        If a camera's style is not known.
    """
    styles = network.styles
    if styles is None:
        raw = raw_features(network, images, batch_size)
        scored = raw if is_first() else raw[:0]
        return StyledFeatures(raw, score_vectors(heads, scored))
    network.eval()
    sources = sent(styles.positions(camids), device_of(network))
    size = max(1, batch_size // len(styles.camids))
    starts = passes(len(images), size)
    num_own = sum(len(images[start : start + size]) for start in starts)
    num_classes = sum(len(head.weight) for head in heads.values())
    # Of all passes at once: a small tensor that each leaves behind keeps the memory of
    # its large ones from being used again (7 GB for 19,281 images of 128 x 64).
    raw = torch.empty(num_own, network.feature_size, device=sources.device)
    scores = torch.empty(num_own, num_classes, device=sources.device)
    for number, start in enumerate(starts):
        own = sources[start : start + size]
        rows = slice(number * size, number * size + len(own))
        with styles.all_targets(own.repeat(2)):  # each image and its mirror image
            passed = _mirrored(network, images[start : start + size])
        raw[rows] = passed.mean(0)
        by_camera = dict(zip(styles.camids, passed, strict=True))
        scores[rows] = _scores(heads, by_camera, raw[rows])
    return StyledFeatures(
        collected(raw, len(images), size),
        at_first(scores.cpu(), len(images), size).numpy(),
    )


def features(
    network: Network,
    images: Tensor,
    batch_size: int,
    camids: NDArray[np.integer] | None = None,
) -> NDArray[np.float32]:
    """Return L2-normalised features of test images.

    Parameters
    ----------
    network, images, batch_size
        As for `raw_features`.
    camids
        (num_images,), for the mean over the styles of all cameras, if the network has
        them; None for the images as they are.

    Returns
    -------
    ndarray
        (num_images, feature_size).
    """
    if camids is None:
        return unit_features(raw_features(network, images, batch_size))
    return unit_features(styled_features(network, images, camids, batch_size, {}).raw)


def _mirrored(network: Network, pixels: Tensor) -> Tensor:
    """Return features averaged over mirror images, (num_styles, num_images, dim)."""
    batch = normalise(sent(pixels, device_of(network)), network.mean, network.std)
    both = network(torch.cat([batch, batch.flip(3)]))
    sides = both.view(-1, 2, len(pixels), network.feature_size)
    mean: Tensor = (sides[:, 0] + sides[:, 1]) / 2
    return mean


def unit_features(raw: Tensor) -> NDArray[np.float32]:
    """Return L2-normalised features as an array, (num_images, dim)."""
    units: NDArray[np.float32] = F.normalize(raw).cpu().numpy()
    return units


@torch.inference_mode()
def score_vectors(heads: Mapping[int, Head], raw: Tensor) -> NDArray[np.float32]:
    """Return each image's class probabilities by every camera's head, side by side.

    Parameters
    ----------
    heads
        By camera.
    raw
        (num_images, feature_size), features that are not normalised.

    Returns
    -------
    ndarray
        (num_images, number of classes of all heads); each row sums to len(heads).
    """
    scores: NDArray[np.float32]
    scores = _scores(heads, dict.fromkeys(heads, raw), raw).cpu().numpy()
    return scores


def _scores(
    heads: Mapping[int, Head], raws: Mapping[int, Tensor], raw: Tensor
) -> Tensor:
    """Return the scores of each camera's head for the features in its style.

    They stay on the device, so that the passes over the images need not wait. `raw` is
    for the number of the images, where there are no heads.
    """
    parts = [heads[c].eval()(raws[c]).softmax(1) for c in sorted(heads)]
    return torch.cat([*parts, raw[:, :0]], dim=1)
