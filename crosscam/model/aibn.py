"""Adaptive instance and batch normalisation (AIBN).

References
----------
Xuan, Zhang: Intra-inter camera similarity for unsupervised person re-identification,
CVPR 2021, section 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from crosscam.model.stages import MAP_NORMS
from crosscam.model.whole_batch import batch_moments

MOMENTUM = 0.1  # share of the batch in the running statistics; IICS
EPS = 1e-5


class AIBN(nn.Module):
    """Normalise by a learned mixture of instance and batch statistics.

    With the mean m_I and the (unbiased) variance v_I of each image and channel over its
    positions, and those of the batch, ``m_B = mean(m_I)`` and ``v_B = mean(v_I) +
    var(m_I)`` (the law of total variance), both taken over the images of all processes,

        w = clamp(mix, 0, 1)
        y = weight · (x - (1 - w) m_I - w m_B) / sqrt((1 - w) v_I + w v_B + eps) + bias

    In evaluation the running statistics take the place of m_B and v_B.

    Parameters
    ----------
    size
        Number of channels.
    mix
        Scalar; the norms of one block share it. 0 is instance normalisation.
    channel_dim
        1 for (N, C, H, W), 3 for (N, H, W, C).
    eps
        Added to the variance.

    Attributes
    ----------
    momentum
        Share of a batch in the running statistics; None: all batches count alike.
    added
        Names of the state's entries that the replaced norm did not have.
    after
        What follows in the replaced norm: activation and the like.

    Notes
    -----
    All statistics are float32, whatever x is. The published program takes v_B as
    ``mean(v_I + m_I²) - m_B²``, which is negative or 0 in float32 where the mean is
    10,000 times the standard deviation. Where a map has one position, v_I is 0.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self, size: int, mix: nn.Parameter, channel_dim: int = 1, eps: float = EPS
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.mix = mix
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_var", torch.ones(size))
        self.register_buffer("num_batches_tracked", torch.tensor(0))
        self.channel_dim = channel_dim
        self.eps = eps
        self.momentum: float | None = MOMENTUM
        self.added: set[str] = set()
        self.after: nn.Module = nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """Return the normalised maps, of the shape and type of `maps`.

        Raises
        ------
        ValueError
            If `maps` has not four dimensions.
        """
        if maps.ndim != 4:
            raise ValueError(f"AIBN needs maps of four dimensions, got {maps.ndim}")
        exact = maps.float()
        dims = (2, 3) if self.channel_dim == 1 else (1, 2)
        positions = exact.shape[dims[0]] * exact.shape[dims[1]]
        mean = exact.mean(dims, keepdim=True)
        # Not torch.var_mean: over few positions it takes 10 to 60 times as long (CPU).
        centred = exact - mean
        var = centred.square().sum(dims, keepdim=True) / max(1, positions - 1)
        batch_mean, batch_var = self._batch(mean, var)
        share = self.mix.clamp(0, 1)
        var = var + share * (batch_var - var)
        scale = self._shaped(self.weight) * torch.rsqrt(var + self.eps)
        shift = self._shaped(self.bias) - share * (batch_mean - mean) * scale
        normed = torch.addcmul(shift, centred, scale)
        return cast("Tensor", self.after(normed.to(maps.dtype)))

    def _shaped(self, values: Tensor) -> Tensor:
        return values.view(1, -1, 1, 1) if self.channel_dim == 1 else values

    def _batch(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the batch, or the running ones."""
        if not self.training:
            return self._shaped(self.running_mean), self._shaped(self.running_var)
        batch_mean, batch_var = batch_moments(mean, var)
        with torch.no_grad():
            self.num_batches_tracked += 1
            alike = 1 / self.num_batches_tracked  # looked at by the device alone
            share = alike if self.momentum is None else self.momentum
            self.running_mean.lerp_(batch_mean.flatten(), share)
            self.running_var.lerp_(batch_var.flatten(), share)
        return batch_mean, batch_var


def replace_norms(model: nn.Module, blocks: Mapping[str, str], mix: float) -> None:
    """Put AIBN in the place of norms, with their affine parameters and statistics.

    Parameters
    ----------
    model
        Is changed in place; the names of the parameters stay.
    blocks
        Names of norms to names of blocks; the norms of a block share their mixing.
    mix
        Where mixing starts: 0.1 in IICS.
    """
    mixes = {block: nn.Parameter(torch.tensor(mix)) for block in blocks.values()}
    for name, block in blocks.items():
        parent, _, child = name.rpartition(".")
        norm = taken_over(model.get_submodule(name), mixes[block])
        setattr(model.get_submodule(parent), child, norm)


def taken_over(norm: Any, mix: nn.Parameter) -> AIBN:
    """Return AIBN with the affine parameters and the running statistics of a norm.

    Parameters
    ----------
    norm
        Batch, layer, root mean square or simple norm; what it lacks of weight, bias
        and statistics starts at 1, 0 and none.
    mix
        Shared with other norms.
    """
    state = norm.state_dict()
    size = len(norm.weight)
    dim = 1 if isinstance(norm, MAP_NORMS) else 3
    # A layer norm's eps (1e-6 in ConvNeXt) goes with its own variance, not with these.
    eps = norm.eps if "running_var" in state else EPS
    result = AIBN(size, mix, dim, eps)
    result.added = set(result.state_dict()) - set(state)
    result.load_state_dict(state, strict=False)
    # timm's batch norms of MobileNet and the like end in an activation.
    parts = [part for _, part in norm.named_children()]
    if parts:
        result.after = nn.Sequential(*parts)
    return result.train(norm.training)
