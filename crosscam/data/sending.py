"""Tensors sent to the device that computes, without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device.

    A GPU is behind the program that drives it; a copy from ordinary memory would let
    the program wait until the GPU has caught up. From page-locked memory it is put into
    the GPU's queue like all other work.

    Parameters
    ----------
    tensor
        Anywhere; itself, if it is on the device.
    device
        Where it is needed.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    # Towards the CPU it must wait: what is not there yet could be read.
    return tensor.to(device, non_blocking=device.type != "cpu")
