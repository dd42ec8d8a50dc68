"""Convolutions whose output has one column, in float32 where a CPU would take bf16."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def spare_narrow(model: nn.Module) -> None:
    """Let strided convolutions compute in float32 where their output has one column.

    With instructions for bf16 matrices (amx_bf16), oneDNN's have wrong values there, up
    to NaN of memory that is not theirs: torch issue 169688, oneDNN 3.12. A 64 × 32
    image ends in such a map. On a GPU, in float32 and with wider maps nothing changes.

    Parameters
    ----------
    model
        Is changed in place; parameters and keys stay.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.stride[1] > 1:
            # Another class and not another module: hooks and keys stay, too.
            module.__class__ = _spared(type(module))


def _spared(kind: Any) -> Any:
    class Spared(kind):  # type: ignore[misc]
        """A convolution that computes narrow maps in float32."""

        def forward(self, maps: Tensor) -> Tensor:
            """Return the convolved maps, in bf16 under autocast all the same."""
            # A map of two columns and more under the kernel at its second place.
            wide = maps.shape[3] + 2 * _border(self) >= _reach(self) + self.stride[1]
            if (
                wide
                or maps.device.type != "cpu"
                or not torch.is_autocast_enabled("cpu")
            ):
                return super().forward(maps)  # type: ignore[no-any-return]
            with torch.autocast("cpu", enabled=False):
                exact: Tensor = super().forward(maps.float())
            return exact.to(torch.get_autocast_dtype("cpu"))

    Spared.__name__ = Spared.__qualname__ = f"Spared{kind.__name__}"
    return Spared


def _reach(conv: nn.Conv2d) -> int:
    """Return the columns that the kernel spans."""
    return conv.dilation[1] * (conv.kernel_size[1] - 1) + 1


def _border(conv: nn.Conv2d) -> int:
    """Return the columns of the border on either side, at least.

    Where it is chosen by the size of the map, 0: some that are wide are computed in
    float32 too.
    """
    return 0 if isinstance(conv.padding, str) else conv.padding[1]
