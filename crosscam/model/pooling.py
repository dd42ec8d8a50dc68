"""Generalised-mean pooling."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GeneralisedMean(nn.Module):
    """Generalised mean over the positions of a feature map, with a learned power.

    ``y_c = (mean_hw max(x_chw, eps)^p)^(1/p)``: p = 1 is the average of the positive
    part, p → ∞ the maximum. Negative activations count as `eps`.

    Parameters
    ----------
    flatten
        Whether to return (num_images, channels) rather than (…, channels, 1, 1).
    power
        Initial p; 3 as in the paper.
    eps
        Floor of the activations: the power of 0 has no finite gradient.

    References
    ----------
    Radenović, Tolias, Chum: Fine-tuning CNN image retrieval with no human annotation,
    TPAMI 2019, eq. (3).
    """

    def __init__(self, flatten: bool, power: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([power]))
        self.flatten = flatten
        self.eps = eps

    def forward(self, maps: Tensor) -> Tensor:
        """Return the pooled maps, (num_images, channels[, 1, 1])."""
        powered = maps.clamp(min=self.eps).pow(self.power)
        pooled = powered.mean(dim=(2, 3), keepdim=True).pow(1.0 / self.power)
        return pooled.flatten(1) if self.flatten else pooled
