"""Decoded images in the memory of the device that computes."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from crosscam.data.samplers import Rows
from crosscam.data.sending import sent

log = logging.getLogger(__name__)

SHARE = 0.5  # of a GPU's free memory, for images; the rest is for what is made of them


def resident(pixels: Tensor, device: torch.device) -> Tensor:
    """Return images on a GPU if they fit there, otherwise where they are.

    Parameters
    ----------
    pixels
        (num_images, 3, height, width), uint8, on the CPU: in memory, or mapped from a
        file.
    device
        That computes.
    """
    if device.type == "cpu":
        return pixels
    free, _ = torch.cuda.mem_get_info(device)
    if pixels.nbytes > SHARE * free:
        log.info(
            "%.1f GB of images stay in the computer's memory: %s has %.1f GB free",
            pixels.nbytes / 1e9,
            device,
            free / 1e9,
        )
        return pixels
    return pixels.to(device)


def taken(pixels: Tensor, rows: Rows, device: torch.device) -> Tensor:
    """Return some of the images, on the device that computes.

    Parameters
    ----------
    pixels
        Of `resident`.
    rows
        Of a batch.
    device
        That computes.
    """
    return sent(pixels[sent(torch.from_numpy(rows), pixels.device)], device)
