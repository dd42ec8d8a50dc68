"""Layers that look at a whole batch, also where several processes have parts of it.

In a process that is alone a network keeps the layers that it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from timm.layers.drop import DropBlock2d, DropPath
from timm.layers.evo_norm import EvoNorm2dB0, EvoNorm2dB1, EvoNorm2dB2
from timm.layers.norm_act import BatchNormAct2d
from timm.layers.patch_dropout import PatchDropout
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from crosscam.params import ParamsError
from crosscam.processes import world_size
from crosscam.shares import images_of_batch, is_dealt, part, summed

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, BatchNormAct2d)
OTHER_NORMS = (EvoNorm2dB0, EvoNorm2dB1, EvoNorm2dB2)


def see_whole_batch(model: nn.Module, name: str, *norms: type[nn.Module]) -> None:
    """Put layers that look at the whole batch in the place of those that would not.

    Parameters
    ----------
    model
        Is changed in place, if there are several processes: batch norms and drop path.
        Parameters, statistics and the keys of the state stay.
    name
        What to call it in an error.
    norms
        Kinds of batch norm that may be replaced, beside torch's and timm's.

    Raises
    ------
    ParamsError
        If there are several processes and layers that cannot see the whole batch:
        dropout, other norms over it.
    """
    if world_size() == 1:
        return
    if found := sorted(set(_part_seeing(model, (*NORMS, *norms)))):
        raise ParamsError(
            f"compute.processes: must be 1 for {name}, got {world_size()}: its layers "
            f"{found} cannot see a batch that several processes have parts of"
        )
    for key, module in list(model.named_modules()):
        parent, _, child = key.rpartition(".")
        if isinstance(module, _BatchNorm):
            setattr(model.get_submodule(parent), child, WholeBatchNorm(module))
        elif isinstance(module, DropPath):
            setattr(model.get_submodule(parent), child, WholeBatchDropPath(module))


def _part_seeing(model: nn.Module, norms: tuple[type, ...]) -> Iterator[str]:
    for module in model.modules():
        kind: Any = type(module)
        rate = {_DropoutNd: "p", DropBlock2d: "drop_prob", PatchDropout: "prob"}
        rates = [getattr(module, rate[of]) for of in rate if isinstance(module, of)]
        if isinstance(module, _BatchNorm):
            plain = module.affine and module.track_running_stats
            other = kind not in norms or not plain
        else:
            other = isinstance(module, OTHER_NORMS) or any(rates)
        if other:
            yield kind.__name__


def batch_moments(mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance over all images of a batch, from those of each image.

    ``M = mean(m_i)`` and ``V = mean(v_i) + var(m_i)``, the law of total variance.

    Parameters
    ----------
    mean, var
        (num_images, …), of the images in this process.

    Returns
    -------
    Tensor, Tensor
        (1, …). Several processes add m_i and v_i + m_i², in float64: with M first, they
        would have to wait for each other twice.
    """
    if not is_dealt():
        first = mean.mean(0, keepdim=True)
        return first, var.mean(0, keepdim=True) + mean.var(
            0, correction=0, keepdim=True
        )
    exact = mean.double()
    sums = torch.stack([exact.sum(0), (var + exact.square()).sum(0)])
    first, second = summed(sums) / images_of_batch(len(mean))
    variance = (second - first.square()).clamp(min=0)
    return first[None].to(mean.dtype), variance[None].to(mean.dtype)


class WholeBatchNorm(_BatchNorm):
    """A batch norm whose batch is that of all processes.

    Parameters
    ----------
    norm
        Whose parameters and statistics it takes over, with what follows inside of it.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        for name, parameter in norm.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, values in norm.named_buffers(recurse=False):
            self.register_buffer(name, values)
        for name, child in norm.named_children():  # timm's end in an activation
            self.add_module(name, child)
        self.train(norm.training)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the normalised maps, (num_images, channels[, height, width])."""
        if self.training:
            normed = self._normed(
                maps.float().view(*maps.shape, *[1] * (3 - maps.ndim))
            )
            normed = normed.view_as(maps).to(maps.dtype)
        else:
            normed = super().forward(maps)
        for child in self.children():
            normed = child(normed)
        return normed

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 (torch's own)
        """Take any."""

    def _normed(self, maps: Tensor) -> Tensor:
        dims = tuple(range(2, maps.ndim))
        mean = maps.mean(dims, keepdim=True)
        centred = maps - mean
        var = centred.square().mean(dims, keepdim=True)
        batch_mean, batch_var = batch_moments(mean, var)
        positions = maps[0, 0].numel()
        self._note(batch_mean, batch_var, positions * images_of_batch(len(maps)))
        shape = (1, -1, *[1] * len(dims))
        scale = self.weight.view(shape) * torch.rsqrt(batch_var + self.eps)
        shift = self.bias.view(shape) - (batch_mean - mean) * scale
        return torch.addcmul(shift, centred, scale)

    @torch.no_grad()
    def _note(self, mean: Tensor, var: Tensor, num: int) -> None:
        """Move the running statistics; their variance is the unbiased one."""
        self.num_batches_tracked += 1
        alike = 1 / self.num_batches_tracked  # looked at by the device alone
        share = alike if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.flatten(), share)
        self.running_var.lerp_(var.flatten() * (num / max(1, num - 1)), share)


class WholeBatchDropPath(nn.Module):
    """Drop path whose draws are those of a process that has the whole batch.

    Parameters
    ----------
    drop
        Whose rate it takes over.
    """

    def __init__(self, drop: Any) -> None:
        super().__init__()
        self.rate, self.scaled = float(drop.drop_prob), bool(drop.scale_by_keep)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps, (num_images, …), those of some images 0."""
        if self.rate == 0 or not self.training:
            return maps
        num = images_of_batch(len(maps))
        # All processes draw for all images, from generators of the same seed.
        kept = maps.new_empty(num, *[1] * (maps.ndim - 1)).bernoulli_(1 - self.rate)
        if self.scaled and self.rate < 1:
            kept /= 1 - self.rate
        return maps * kept[part(num)]
