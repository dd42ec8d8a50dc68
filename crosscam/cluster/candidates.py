"""The largest products of each image with others, tile by tile, in single precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import prange
from numpy.typing import NDArray

from crosscam.kernel import helper, kernel

Features = NDArray[np.float32]
Images = NDArray[np.int32]
# From rows, other rows and a tile, into which the products of all pairs are written.
Product = Callable[[slice, slice, Features], None]

ROWS, COLUMNS = 1024, 2048  # of a tile: 8 MB
GROUP = 512  # columns of a thread
STRIP = 64  # products held against a limit at once: hardly any strip has one above


def largest_products(
    features: Features, width: int, product: Product | None = None
) -> tuple[Images, NDArray[np.float32]]:
    """Return the images whose products with each image are largest.

    Parameters
    ----------
    features
        (num_images, dim). Half of all products are computed: the rest are equal.
    width
        At least 1 and below num_images.
    product
        What multiplies, in single precision; None: numpy.

    Returns
    -------
    images : ndarray
        (num_images, width), in order of index, without the image itself. Of equal
        products any may be missing.
    least : ndarray
        (num_images,), the smallest product of these: all others are at most that.
    """
    num = len(features)
    products = np.full((num, width), -np.inf, np.float32)
    images = np.zeros((num, width), np.int32)
    memory = np.empty(ROWS * COLUMNS, np.float32)
    multiply = product or _numpy(features)
    for top in range(0, num, ROWS):
        rows = slice(top, min(top + ROWS, num))
        for left in range(top, num, COLUMNS):
            columns = slice(left, min(left + COLUMNS, num))
            shape = rows.stop - top, columns.stop - left
            tile = memory[: shape[0] * shape[1]].reshape(shape)
            multiply(rows, columns, tile)
            _offer_columns(tile, top, left, products, images)
            _offer_rows(tile, top, left, products, images)
    images.sort(axis=1)
    return images, products[:, -1].copy()


def _numpy(features: Features) -> Product:
    def multiply(rows: slice, columns: slice, tile: Features) -> None:
        np.matmul(features[rows], features[columns].T, out=tile)

    return multiply


@kernel
def _offer_columns(
    tile: Features, top: int, left: int, products: Features, images: Images
) -> None:
    """Offer a tile's columns to its rows, if they come after these."""
    for i in prange(len(tile)):
        own, found = products[top + i], images[top + i]
        for start in range(0, tile.shape[1], STRIP):
            strip = tile[i, start : start + STRIP]
            above = 0
            for j in range(len(strip)):
                above += strip[j] > own[-1]
            if above:
                for j in range(max(0, top + i + 1 - left - start), len(strip)):
                    _offer(strip[j], left + start + j, own, found)


@kernel
def _offer_rows(
    tile: Features, top: int, left: int, products: Features, images: Images
) -> None:
    """Offer a tile's rows to its columns, if these come after them."""
    for group in prange((tile.shape[1] + GROUP - 1) // GROUP):
        _offer_rows_to(group, tile, top, left, products, images)


@helper
def _offer_rows_to(
    group: int, tile: Features, top: int, left: int, products: Features, images: Images
) -> None:
    """Offer a tile's rows to a group of its columns.

    A function of its own: within the `prange`, its loops are a quarter slower.
    """
    height, width = tile.shape
    low, high = group * GROUP, min((group + 1) * GROUP, width)
    limits = products[left + low : left + high, -1].copy()
    for i in range(height):
        for start in range(low, high, STRIP):
            strip = tile[i, start : min(start + STRIP, high)]
            own = limits[start - low : start - low + len(strip)]
            above = 0
            for j in range(len(strip)):
                above += strip[j] > own[j]
            if above:
                for j in range(max(0, top + i + 1 - left - start), len(strip)):
                    if strip[j] > own[j]:
                        column = left + start + j
                        _offer(strip[j], top + i, products[column], images[column])
                        own[j] = products[column, -1]


@helper
def _offer(product: float, image: int, products: Features, images: Images) -> None:
    """Insert into a descending list, of which the last falls out, if it is larger."""
    if not product > products[-1]:
        return
    place = len(products) - 1
    while place > 0 and products[place - 1] < product:
        products[place] = products[place - 1]
        images[place] = images[place - 1]
        place -= 1
    products[place] = product
    images[place] = image
