"""Augmentation of whole batches, on their device, from a seeded generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import Generator, Tensor

from crosscam.params import Fraction, Within
from crosscam.shares import images_of_batch, part

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
    shift = torch.tensor(mean, device=images.device).view(3, 1, 1) * 255
    scale = torch.tensor(std, device=images.device).view(3, 1, 1) * 255
    return (images.float() - shift) / scale


def augment(
    images: Tensor,
    params: AugmentParams,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    generator: Generator,
) -> Tensor:
    """Return randomly varied, normalised images.

    In order: flip and crop, colour, normalisation, erasing. The draws are made on the
    CPU, so that they are the same on every device, and for the whole batch where this
    process has a part of it (`crosscam.shares.dealt`).

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
    moved = _flip_and_crop(images, params, generator).float()
    coloured = _colour(moved, params, generator)
    return _erase(normalise(coloured, mean, std), params, generator)


def _uniform(
    num: int,
    low: float,
    high: float,
    generator: Generator,
    device: torch.device,
    each: tuple[int, ...] = (),
) -> Tensor:
    whole = images_of_batch(num)
    draws = torch.rand(whole, *each, generator=generator) * (high - low) + low
    return draws[part(whole)].to(device)


def _flip_and_crop(
    images: Tensor, params: AugmentParams, generator: Generator
) -> Tensor:
    num, _, height, width = images.shape
    pad, device = params.pad, images.device
    flip = _uniform(num, 0, 1, generator, device) < params.flip
    whole = images_of_batch(num)
    draws = (
        torch.randint(2 * pad + 1, (whole, 1), generator=generator) for _ in range(2)
    )
    down, right = (draw[part(whole)].to(device) for draw in draws)
    rows = torch.arange(height, device=device) + down  # (num, height)
    columns = torch.arange(width, device=device).expand(num, width)
    columns = torch.where(flip[:, None], columns.flip(1), columns) + right
    padded = F.pad(images, (pad, pad, pad, pad))
    image = torch.arange(num, device=device)[:, None, None]
    channels_last = padded.permute(0, 2, 3, 1)[
        image, rows[:, :, None], columns[:, None]
    ]
    return channels_last.permute(0, 3, 1, 2)


def _colour(images: Tensor, params: AugmentParams, generator: Generator) -> Tensor:
    num, device = len(images), images.device
    low, high = 1 - params.colour, 1 + params.colour
    if params.colour > 0:
        brightness, contrast, saturation = (
            _uniform(num, low, high, generator, device).view(num, 1, 1, 1)
            for _ in range(3)
        )
        luma = torch.tensor(GREY, device=device).view(1, 3, 1, 1)
        images = images * brightness
        grey = (images * luma).sum(1, keepdim=True)
        middle = grey.mean(dim=(2, 3), keepdim=True)
        images = middle + (images - middle) * contrast
        grey = (images * luma).sum(1, keepdim=True)
        images = grey + (images - grey) * saturation
    if params.tint > 0:
        tints = 1 - params.tint, 1 + params.tint
        factors = _uniform(num, *tints, generator, device, (3,))
        images = images * factors.view(num, 3, 1, 1)
    return images.clamp(0, 255)


def _erase(images: Tensor, params: AugmentParams, generator: Generator) -> Tensor:
    num, _, height, width = images.shape
    device = images.device
    chosen = _uniform(num, 0, 1, generator, device) < params.erase
    area = _uniform(num, *params.erase_area, generator, device) * height * width
    spread = -torch.log(torch.tensor(params.erase_aspect)).item()
    aspect = _uniform(num, -spread, spread, generator, device).exp()
    tall = (area * aspect).sqrt().round().clamp(1, height)
    wide = (area / aspect).sqrt().round().clamp(1, width)
    top = (_uniform(num, 0, 1, generator, device) * (height - tall + 1)).floor()
    left = (_uniform(num, 0, 1, generator, device) * (width - wide + 1)).floor()
    rows = torch.arange(height, device=device)
    columns = torch.arange(width, device=device)
    in_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])
    in_columns = (columns >= left[:, None]) & (columns < (left + wide)[:, None])
    erased = in_rows[:, :, None] & in_columns[:, None, :] & chosen[:, None, None]
    return images.masked_fill(erased[:, None], 0.0)
