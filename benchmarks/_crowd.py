"""A made-up training set of any size: encoded images of nobody."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from crosscam.data.packed import PackedImages

HEIGHT, WIDTH = 128, 64  # of Market-1501
IMAGES_PER_PID = 17  # 12,936 of 751 there


def crowd(
    path: Path, num_images: int, num_cameras: int
) -> tuple[PackedImages, pd.DataFrame]:
    """Write JPEGs of patches, in a colour pattern per person, tinted by the camera.

    Parameters
    ----------
    path
        Of the packed images.
    num_images, num_cameras
        Of the table that is returned, with columns ``offset``, ``size``, ``camid``.
    """
    rng = np.random.default_rng(0)
    num_pids = -(-num_images // IMAGES_PER_PID)
    patterns = rng.integers(40, 216, (num_pids, 8, 4, 3))
    tints = rng.integers(-20, 21, (num_cameras, 3))
    camids = rng.permutation(np.arange(num_images) % num_cameras)
    sizes = []
    with path.open("wb") as file:
        for row, camid in enumerate(camids):
            patches = patterns[row % num_pids] + tints[camid]
            pixels = patches.repeat(HEIGHT // 8, 0).repeat(WIDTH // 4, 1)
            pixels = pixels + rng.integers(-20, 21, pixels.shape)
            blob = io.BytesIO()
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(blob, "JPEG")
            sizes.append(file.write(blob.getvalue()))
    offsets = np.cumsum([0, *sizes[:-1]])
    columns = {"offset": offsets, "size": sizes, "camid": camids}
    return PackedImages(path), pd.DataFrame(columns)
