"""Encoded images to one tensor of pixels."""

from __future__ import annotations

import io
import tempfile

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from crosscam.data.packed import PackedImages


def decode(blob: bytes | memoryview, image_size: tuple[int, int]) -> Image.Image:
    """Return an image as RGB, resized by bicubic interpolation.

    Parameters
    ----------
    blob
        An encoded image.
    image_size
        Height and width, pixels.
    """
    height, width = image_size
    image = Image.open(io.BytesIO(blob)).convert("RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return image


def decode_all(
    packed: PackedImages,
    table: pd.DataFrame,
    image_size: tuple[int, int],
    limit_gb: float,
) -> Tensor:
    """Return all images of a table in one tensor, each decoded once.

    Parameters
    ----------
    packed
        The encoded images.
    table
        With columns ``offset`` and ``size``.
    image_size
        Height and width, pixels.
    limit_gb
        Above this size (10^9 bytes) the tensor lies in an unlinked temporary file
        that is mapped into memory, so that it may be larger than the memory.

    Returns
    -------
    Tensor
        (num_images, 3, height, width), uint8.
    """
    shape = (len(table), 3, *image_size)
    if np.prod(shape, dtype=np.int64) <= limit_gb * 1e9:
        pixels = np.empty(shape, np.uint8)
    else:
        with tempfile.TemporaryFile() as file:
            pixels = np.memmap(file, np.uint8, "w+", shape=shape)
    rows = zip(table["offset"], table["size"], strict=True)
    for row, (offset, size) in enumerate(rows):
        image = decode(packed.blob(offset, size), image_size)
        pixels[row] = np.asarray(image).transpose(2, 0, 1)
    return torch.from_numpy(pixels)
