"""Encoded images to one tensor of pixels."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from crosscam.data.encoded import decoded
from crosscam.data.faults import DataError
from crosscam.data.packed import PackedImages
from crosscam.processes import place_on_machine
from crosscam.room import check_disk, check_memory
from crosscam.shares import filled, part

MAPPED = "lower compute.image_cache_gb, they are mapped from a file then"


def decode(blob: bytes | memoryview, image_size: tuple[int, int]) -> Image.Image:
    """Return an image as RGB, resized by bicubic interpolation.

    Parameters
    ----------
    blob
        An encoded image.
    image_size
        Height and width, pixels.

    Raises
    ------
    DataError
        As `crosscam.data.encoded.decoded`.
    """
    height, width = image_size
    image = decoded(blob).convert("RGB")
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

    Several processes decode a part each; all of them hold all images.

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

    Raises
    ------
    DataError
        If the packed images are not those that the table was made from.
    RoomError
        If there is not the memory, or the disk, to hold them.
    """
    shape = (len(table), 3, *image_size)
    num_bytes = int(np.prod(shape, dtype=np.int64))
    if num_bytes <= limit_gb * 1e9:
        held = f"{len(table)} images are held: {MAPPED}"
        check_memory(num_bytes * place_on_machine()[1], held)
        pixels = np.empty(shape, np.uint8)
    else:
        needed = num_bytes * place_on_machine()[1]
        check_disk(Path(tempfile.gettempdir()), needed, f"{len(table)} images")
        with tempfile.TemporaryFile() as file:
            pixels = np.memmap(file, np.uint8, "w+", shape=shape)
    rows = zip(table["offset"], table["size"], strict=True)
    for row, (offset, size) in list(enumerate(rows))[part(len(table))]:
        blob = packed.blob(offset, size)
        try:
            image = decode(blob, image_size)
        except DataError as error:
            raise DataError(packed.fault(offset, size, str(error))) from error
        pixels[row] = np.asarray(image).transpose(2, 0, 1)
    return filled(torch.from_numpy(pixels))
