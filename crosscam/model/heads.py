"""Classifier heads over pseudo labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import Tensor, nn

from crosscam.model.network import ShiftlessNorm
from crosscam.params import Positive

ALL_CAMERAS = -1  # in place of a camera: key of the one head over all


@dataclass(frozen=True)
class HeadParams:
    """How a head turns features into logits.

    Parameters
    ----------
    kind
        ``linear``: weights drawn from N(0, 0.001), as in IICS; ``cosine``: scaled
        cosines to the class weights, which start at the class means of the features,
        so that a head is of use from its first step; less so behind a neck of its own,
        whose batch norm is new.
    scale
        Of the cosines; the inverse of a temperature.
    """

    kind: Literal["linear", "cosine"]
    scale: Positive


class Head(nn.Module):
    """Features to logits of one camera's (or all cameras') pseudo labels.

    Parameters
    ----------
    feature_size
        Length of a feature vector.
    num_classes
        Number of pseudo labels.
    params
        Kind and scale.
    neck
        Whether a batch normalisation without shift comes first.
    """

    def __init__(
        self, feature_size: int, num_classes: int, params: HeadParams, neck: bool
    ) -> None:
        super().__init__()
        self.norm = ShiftlessNorm(feature_size) if neck else nn.Identity()
        self.weight = nn.Parameter(torch.empty(num_classes, feature_size))
        nn.init.normal_(self.weight, std=0.001)
        self.params = params

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, (num_images, num_classes), of (num_images, feature_size)."""
        normed = self.norm(features)
        if self.params.kind == "linear":
            return F.linear(normed, self.weight)
        cosines = F.linear(F.normalize(normed), F.normalize(self.weight))
        return self.params.scale * cosines

    @torch.no_grad()
    def start_at(self, features: Tensor, labels: Tensor) -> None:
        """Set a cosine head's weights to the class means of normalised features.

        Parameters
        ----------
        features
            (num_images, feature_size).
        labels
            (num_images,), every value in [0, num_classes) present.
        """
        if self.params.kind == "cosine":
            means = torch.zeros_like(self.weight)
            means.index_add_(0, labels, F.normalize(features))
            self.weight.copy_(F.normalize(means))
