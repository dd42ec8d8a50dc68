"""Features and score vectors of all images, without augmentation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from numpy.typing import NDArray
from torch import Tensor

from crosscam.data.augment import normalise
from crosscam.model.heads import Head
from crosscam.model.network import Network


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
    device = next(network.parameters()).device
    result = torch.empty(len(images), network.feature_size, device=device)
    for start in range(0, len(images), batch_size):
        pixels = images[start : start + batch_size].to(device)
        batch = normalise(pixels, network.mean, network.std)
        both = network(torch.cat([batch, batch.flip(3)]))
        result[start : start + batch_size] = (
            both[: len(batch)] + both[len(batch) :]
        ) / 2
    return result


def unit_features(raw: Tensor) -> NDArray[np.float32]:
    """Return L2-normalised features as an array, (num_images, dim)."""
    features: NDArray[np.float32] = F.normalize(raw).cpu().numpy()
    return features


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
    parts = [heads[camid].eval()(raw).softmax(1) for camid in sorted(heads)]
    scores: NDArray[np.float32] = torch.cat(parts, dim=1).cpu().numpy()
    return scores
