"""Convolutions without the taps that meet nothing but the border of zeros."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import Tensor, nn


def trim(model: nn.Module) -> None:
    """Let stride-1 convolutions leave out what lies outside of a small map.

    On a map of 2 × 1, as the last of a 64 × 32 image, 46 of the 49 taps of ConvNeXt's
    kernels see padding alone. A training step of 20 images took 94 ms instead of 109
    on one core with convnext_zepto_rms, 134 instead of 161 with resnet10t. Larger maps
    are convolved as ever.

    Parameters
    ----------
    model
        Is changed in place; parameters and keys stay.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_centred(module):
            # Another class and not another module: hooks and keys stay, too.
            module.__class__ = TrimmedConv


def _is_centred(conv: nn.Conv2d) -> bool:
    """Return whether each output lies at the middle of an odd kernel."""
    plain = (conv.stride, conv.dilation, conv.padding_mode) == ((1, 1), (1, 1), "zeros")
    if not plain or isinstance(conv.padding, str):
        return False
    kernel = tuple(2 * border + 1 for border in conv.padding)
    return kernel == conv.kernel_size and kernel != (1, 1)


class TrimmedConv(nn.Conv2d):
    """A convolution whose kernel is cut to the taps that some position needs."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return the convolved maps, (num_images, channels, height, width)."""
        rows, columns = (side // 2 for side in self.kernel_size)
        height, width = maps.shape[2:]
        row, column = min(rows, height - 1), min(columns, width - 1)
        if (row, column) == (rows, columns):
            return super().forward(maps)
        near = slice(rows - row, rows + row + 1)
        across = slice(columns - column, columns + column + 1)
        kernel = self.weight[:, :, near, across]
        return F.conv2d(
            maps, kernel, self.bias, padding=(row, column), groups=self.groups
        )
