"""Augmentation of whole batches, on their device, from a seeded generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import Generator, Tensor

from crosscam.data.moved import moved_levels
from crosscam.data.sending import sent
from crosscam.params import Fraction, Within
from crosscam.shares import images_of_batch, part

LEVELS = torch.arange(256.0).expand(1, 3, 1, -1)  # of uint8, as images would have them
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma, as in torchvision


@dataclass(frozen=True)
class AugmentParams:
    """How training images are varied.

    Parameters
    ----------
    flip
        Probability of a horizontal flip.
    pad
        Black border, pixels, from which a crop of the old size is taken.
    colour
        Half-width s of the factors of brightness, contrast and saturation, drawn from
        [1 - s, 1 + s].
    tint
        Half-width of the factor of each colour channel, which imitates another
        camera's white balance.
    erase
        Probability that a rectangle is erased, i.e. set to the pixel mean.
    erase_area
        Smallest and largest part of the image to erase.
    erase_aspect
        Smallest height to width ratio of the rectangle; the largest is its inverse.

    References
    ----------
    Zhong et al.: Random erasing data augmentation, AAAI 2020.
    """

    flip: Fraction
    pad: Annotated[int, Within(0)]
    colour: Fraction
    tint: Fraction
    erase: Fraction
    erase_area: tuple[Fraction, Fraction]
    erase_aspect: Annotated[float, Within(0, 1, above=True)]

    def __post_init__(self) -> None:
        """Check that the erased area is a range."""
        if self.erase_area[0] > self.erase_area[1]:
            raise ValueError(
                f"erase_area: must be [smallest, largest], got {self.erase_area}"
            )


def normalise(
    images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    """Return ``(images / 255 - mean) / std`` per channel, float32.

    Parameters
    ----------
    images
        (num_images, 3, height, width), uint8 or float in [0, 255].
    mean, std
        Per channel, of pixel values in [0, 1].
    """
    both = torch.tensor([mean, std]).view(2, 3, 1, 1) * 255
    shift, scale = sent(both, images.device).unbind()
    return (images.float() - shift) / scale


class _Draws(NamedTuple):
    """What is drawn for each image of a batch, float32, (…, num_images).

    `move` is whether to flip (1 or 0) and the crop's offsets down and right; `colour`
    the factors of brightness, contrast and saturation; `tint` those of the channels;
    `box` the rectangle to erase: top, bottom, left and right, empty for most. `colour`
    and `tint` have no rows where nothing is drawn.
    """

    move: Tensor
    colour: Tensor
    tint: Tensor
    box: Tensor


def augment(
    images: Tensor,
    params: AugmentParams,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    generator: Generator,
) -> Tensor:
    """Return randomly varied, normalised images.

    In order: flip and crop, colour, normalisation, erasing. The draws are made on the
    CPU, so that they are the same on every device, for the whole batch where this
    process has a part of it (`crosscam.shares.dealt`), and sent there all at once.

    Parameters
    ----------
    images
        (num_images, 3, height, width), uint8.
    params
        What is varied, and how much.
    mean, std
        Per channel, of pixel values in [0, 1].
    generator
        A CPU generator; the only source of randomness.

    Returns
    -------
    Tensor
        (num_images, 3, height, width), float32.
    """
    num, (height, width) = images_of_batch(len(images)), images.shape[2:]
    drawn = _drawn(num, height, width, params, generator)
    ends = np.cumsum([len(draws) for draws in drawn])[:-1].tolist()
    own = torch.cat(drawn)[:, part(num)]
    draws = _Draws(*sent(own, images.device).tensor_split(ends))
    coloured = len(draws.colour) + len(draws.tint) > 0
    on_cpu = images.device.type == "cpu"
    if on_cpu and not coloured:
        table = normalise(LEVELS, mean, std)
        return _in_one_pass(images, draws.move, draws.box, params.pad, table)
    if on_cpu:
        nowhere = torch.zeros_like(draws.box)
        moved = _in_one_pass(images, draws.move, nowhere, params.pad, LEVELS)
    else:
        moved = _flip_and_crop(images, draws.move, params.pad).float()
    return _erase(normalise(_colour(moved, draws), mean, std), draws.box)


def _drawn(
    num: int, height: int, width: int, params: AugmentParams, generator: Generator
) -> _Draws:
    def uniform(low: float, high: float, count: int = num) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    flip = (uniform(0, 1) < params.flip).float()
    offsets = [
        torch.randint(2 * params.pad + 1, (num, 1), generator=generator)[:, 0]
        for _ in range(2)
    ]
    colour = tint = torch.empty(0, num)
    if params.colour > 0:
        low, high = 1 - params.colour, 1 + params.colour
        colour = torch.stack([uniform(low, high) for _ in range(3)])
    if params.tint > 0:
        tint = uniform(1 - params.tint, 1 + params.tint, 3 * num).view(num, 3).T
    chosen = uniform(0, 1) < params.erase
    area = uniform(*params.erase_area) * height * width
    spread = -torch.log(torch.tensor(params.erase_aspect)).item()
    aspect = uniform(-spread, spread).exp()
    tall = (area * aspect).sqrt().round().clamp(1, height)
    wide = (area / aspect).sqrt().round().clamp(1, width)
    top = (uniform(0, 1) * (height - tall + 1)).floor()
    left = (uniform(0, 1) * (width - wide + 1)).floor()
    bottom = torch.where(chosen, top + tall, top)
    box = torch.stack([top, bottom, left, left + wide])
    return _Draws(torch.stack([flip, *offsets]), colour, tint, box)


def _in_one_pass(
    images: Tensor, move: Tensor, box: Tensor, pad: int, table: Tensor
) -> Tensor:
    """Flip, crop, look up levels and erase: to the bit what the steps would give."""
    values = table.reshape(3, -1).numpy()
    where = move.long().numpy(), box.long().numpy()
    result = torch.from_numpy(moved_levels(images.numpy(), *where, pad, values))
    return result.permute(0, 3, 1, 2)


def _flip_and_crop(images: Tensor, move: Tensor, pad: int) -> Tensor:
    num, _, height, width = images.shape
    device = images.device
    flip, down, right = move.long()[:, :, None]
    rows = torch.arange(height, device=device) + down  # (num, height)
    columns = torch.arange(width, device=device).expand(num, width)
    columns = torch.where(flip.bool(), columns.flip(1), columns) + right
    padded = F.pad(images, (pad,) * 4)
    image = torch.arange(num, device=device)[:, None, None]
    channels_last = padded.permute(0, 2, 3, 1)
    cropped = channels_last[image, rows[:, :, None], columns[:, None]]
    return cropped.permute(0, 3, 1, 2)


def _colour(images: Tensor, draws: _Draws) -> Tensor:
    if len(draws.colour):
        brightness, contrast, saturation = draws.colour[:, :, None, None, None]
        luma = sent(torch.tensor(GREY), images.device).view(1, 3, 1, 1)
        images = images * brightness
        grey = (images * luma).sum(1, keepdim=True)
        middle = grey.mean(dim=(2, 3), keepdim=True)
        images = middle + (images - middle) * contrast
        grey = (images * luma).sum(1, keepdim=True)
        images = grey + (images - grey) * saturation
    if len(draws.tint):
        images = images * draws.tint.T[:, :, None, None]
    return images.clamp(0, 255)


def _erase(images: Tensor, box: Tensor) -> Tensor:
    """Set rectangles of the images to 0, in place: a copy would be channels first."""
    height, width = images.shape[2:]
    device = images.device
    top, bottom, left, right = box[:, :, None]
    rows = torch.arange(height, device=device)
    in_rows = (rows >= top) & (rows < bottom)  # (num, height)
    columns = torch.arange(width, device=device)
    in_columns = (columns >= left) & (columns < right)
    erased = in_rows[:, :, None] & in_columns[:, None, :]
    return images.masked_fill_(erased[:, None], 0.0)
