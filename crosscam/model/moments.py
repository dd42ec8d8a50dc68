"""Moments of feature maps by camera, and maps that are given those of another one."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import Tensor, nn

from crosscam.shares import summed

EPS = 1e-5
STAYS = -1  # target of an image that is not re-styled


class Style(NamedTuple):
    """What becomes of each image of a batch.

    Parameters
    ----------
    sources
        (num_images,), the image's camera as a position in the list of cameras.
    targets
        (num_images,), the camera whose style it gets, or `STAYS`.
    """

    sources: Tensor
    targets: Tensor


class Moments(nn.Module):
    """Mean and variance of a feature map's channels in each camera.

    Parameters
    ----------
    num_cameras, size
        Of cameras, of channels.

    Attributes
    ----------
    mean, var
        (num_cameras, size), of the images of each camera as they are.
    from_mean, from_var
        (num_cameras, num_cameras, size), [s, t]: of camera s's images when the layers
        before have given them the style of camera t.
    """

    mean: Tensor
    var: Tensor
    from_mean: Tensor
    from_var: Tensor

    def __init__(self, num_cameras: int, size: int) -> None:
        super().__init__()
        for name, shape in (("", (num_cameras,)), ("from_", (num_cameras,) * 2)):
            self.register_buffer(f"{name}mean", torch.zeros(*shape, size))
            self.register_buffer(f"{name}var", torch.ones(*shape, size))

    def restyled(self, maps: Tensor, style: Style) -> Tensor:
        """Return maps with the moments of their targets in place of their own.

        ``y = (x - F_st) / sqrt(G_st + eps) · sqrt(V_t + eps) + M_t`` per channel, with
        source camera s, target camera t, mean M and variance V, and those of the
        arriving maps, F and G. Images that stay are returned exactly.

        Parameters
        ----------
        maps
            (num_images, channels, height, width).
        style
            Of these images.
        """
        stays = (style.targets == STAYS)[:, None]
        pairs = style.sources, style.targets
        ratio = (self.var[style.targets] + EPS) / (self.from_var[pairs] + EPS)
        scale = ratio.sqrt().masked_fill(stays, 1)[:, :, None, None]
        own = self.from_mean[pairs].masked_fill(stays, 0)[:, :, None, None]
        mean = self.mean[style.targets].masked_fill(stays, 0)[:, :, None, None]
        return torch.addcmul(mean, maps - own, scale).to(maps.dtype)

    @torch.no_grad()
    def arrive_as_they_are(self) -> None:
        """Take it that the layers before change nothing, as is so before the first."""
        self.from_mean.copy_(self.mean[:, None].expand_as(self.from_mean))
        self.from_var.copy_(self.var[:, None].expand_as(self.from_var))

    def sums(self) -> MomentSums:
        """Return empty sums for `mean` and `var`, grouped by camera."""
        return MomentSums(self.mean, self.var)

    def arriving_sums(self) -> MomentSums:
        """Return empty sums for `from_mean` and `from_var`, grouped by `pairs`."""
        return MomentSums(self.from_mean.flatten(0, 1), self.from_var.flatten(0, 1))

    def pairs(self, style: Style) -> Tensor:
        """Return the number of each image's pair of source and target camera."""
        return style.sources * len(self.mean) + style.targets


class MomentSums:
    """Float64 sums over the images of some groups, for the groups' exact moments.

    Parameters
    ----------
    mean, var
        (num_groups, channels), to be set by `store`.
    """

    def __init__(self, mean: Tensor, var: Tensor) -> None:
        self._mean, self._var = mean, var
        zeros = torch.zeros_like(mean, dtype=torch.float64)
        self._counts = zeros[:, 0].clone()
        self._means, self._seconds = zeros.clone(), zeros.clone()

    def add(self, maps: Tensor, groups: Tensor) -> None:
        """Add images, (num_images, channels, height, width), of these groups."""
        mean, var = (part.double() for part in _image_moments(maps))
        # A product with this matrix instead of index_add, whose sums on a GPU differ
        # from run to run.
        member = F.one_hot(groups, len(self._counts)).T.double()
        self._counts += member.sum(1)
        self._means += member @ mean
        # Raw second moments lose nothing here: float64 sums of float32 values.
        self._seconds += member @ (var + mean.square())

    def store(self) -> None:
        """Set mean and variance over the images that all processes added.

        A group without images keeps those it had.
        """
        sums = self._counts, self._means, self._seconds
        counts, means, seconds = (summed(part) for part in sums)
        seen = counts > 0
        means = means[seen] / counts[seen, None]
        seconds = seconds[seen] / counts[seen, None]
        self._mean[seen] = means.float()
        self._var[seen] = (seconds - means.square()).clamp(min=0).float()


def _image_moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and (population) variance over positions, (num_images, channels)."""
    exact = maps.float()
    mean = exact.mean((2, 3), keepdim=True)
    var = (exact - mean).square().mean((2, 3))  # as AIBN's, not by torch.var_mean
    return mean[:, :, 0, 0], var
