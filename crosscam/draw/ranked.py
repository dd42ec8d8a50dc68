"""Ranked lists: queries with the gallery images that come nearest."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from crosscam.draw.style import FAINT, INK, house_style, png, with_palette

# 8 queries make 0.32 MB of synthetic images and 0.46 MB of Market-1501's; in full
# colour at 160 dpi they made 2.3 and 2.6 MB.
DPI = 100
TILE = (0.6, 1.2)  # inches: 60 × 120 pixels, the 1:2 of all pedestrian datasets
GAP = (0.14, 0.46)  # inches, for the frame and the text below
MARGIN = 0.2  # inches
LABEL = 0.75  # inches, left of the queries
HEADER = 0.35  # inches, for the title
RIGHT, WRONG = "#1a9850", "#d73027"  # green and red of a colour-blind safe scale


class Tile(NamedTuple):
    """An image in a ranked list.

    Attributes
    ----------
    blob
        The encoded image.
    camid
        Its camera, from 0; printed from 1, as in the file names.
    """

    blob: bytes
    camid: int


class RankedList(NamedTuple):
    """A query and its nearest gallery images, nearest first.

    Attributes
    ----------
    tiles
        The query and, after it, the gallery images (if any).
    ap
        Average precision of the query in [0, 1].
    distances
        Of each gallery image from the query.
    is_match
        Whether each gallery image has the identity of the query.
    """

    tiles: Sequence[Tile]
    ap: float
    distances: Sequence[float] | NDArray[np.float32]
    is_match: Sequence[bool] | NDArray[np.bool_]


def draw_ranked(lists: Sequence[RankedList]) -> bytes:
    """Return a PNG with one row per query.

    The query stands left; right images have a green frame and a tick, wrong ones a red
    frame and a cross; camera and cosine distance are printed below.

    Parameters
    ----------
    lists
        At least one.

    Raises
    ------
    ValueError
        If there are no lists.
    """
    if not lists:
        raise ValueError("ranked lists: must be at least one, got none")
    num_columns = max(len(ranked.tiles) for ranked in lists)
    width = LABEL + num_columns * (TILE[0] + GAP[0]) + 2 * MARGIN
    height = HEADER + len(lists) * (TILE[1] + GAP[1]) + MARGIN
    with house_style():
        figure = Figure(figsize=(width, height))
        figure.suptitle(
            "Nearest gallery images, with camera and cosine distance",
            x=MARGIN / width,
            y=1 - HEADER / 2 / height,
            ha="left",
            va="center",
        )
        for row, ranked in enumerate(lists):
            _draw_list(figure, row, ranked)
        return with_palette(png(figure, DPI))


def _draw_list(figure: Figure, row: int, ranked: RankedList) -> None:
    query, *gallery = ranked.tiles
    axes = _draw_tile(figure, (row, 0), query.blob, INK)
    _text_below(axes, 0.06, f"cam {query.camid + 1}", INK)
    axes.annotate(
        f"query\nAP {ranked.ap:.2f}",
        (-0.14, 0.5),
        xycoords="axes fraction",
        ha="right",
        va="center",
    )
    entries = zip(gallery, ranked.distances, ranked.is_match, strict=True)
    for column, (tile, distance, is_match) in enumerate(entries, start=1):
        colour, mark = (RIGHT, "✓") if is_match else (WRONG, "✗")
        axes = _draw_tile(figure, (row, column), tile.blob, colour)
        _text_below(axes, 0.06, f"{mark} cam {tile.camid + 1}", colour)
        _text_below(axes, 0.19, f"{distance:.3f}", FAINT)


def _draw_tile(
    figure: Figure, place: tuple[int, int], blob: bytes, colour: str
) -> Axes:
    row, column = place
    width, height = figure.get_size_inches()
    left = MARGIN + LABEL + column * (TILE[0] + GAP[0])
    left += GAP[0] / 2 if column else 0  # sets the query apart
    bottom = height - HEADER - row * (TILE[1] + GAP[1]) - TILE[1]
    axes = figure.add_axes((
        left / width,
        bottom / height,
        TILE[0] / width,
        TILE[1] / height,
    ))
    axes.imshow(Image.open(io.BytesIO(blob)).convert("RGB"), aspect="auto")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=colour, linewidth=2.2)
    return axes


def _text_below(axes: Axes, depth: float, text: str, colour: str) -> None:
    axes.annotate(
        text,
        (0.5, -depth),
        xycoords="axes fraction",
        ha="center",
        va="top",
        color=colour,
    )
