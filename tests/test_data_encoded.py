from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crosscam.data.encoded import MAX_PIXELS, MIN_SIDE, decoded
from crosscam.data.faults import DataError
from tests.hostile.images import png


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes_that_become_rgb(mode: str) -> None:
    image = Image.new("RGB", (8, 16), (255, 255, 255)).convert(mode)
    assert np.all(np.asarray(decoded(encoded(image)).convert("RGB")) == 255)


def test_sixteen_bits_would_become_white() -> None:
    # Why they are refused: a mean grey is white in the eyes of Pillow.
    grey = Image.fromarray(np.full((16, 8), 32_768, np.uint16))
    with pytest.raises(DataError, match="has more than 8 bits per channel, got the mo"):
        decoded(encoded(grey))


@pytest.mark.parametrize("size", [(1, 1), (MIN_SIDE - 1, 99), (99, MIN_SIDE - 1)])
def test_too_small(size: tuple[int, int]) -> None:
    with pytest.raises(
        DataError, match=f"too small for a person, got {size[0]} × {size[1]}"
    ):
        decoded(encoded(Image.new("L", size)))
    assert decoded(encoded(Image.new("L", (MIN_SIDE, MIN_SIDE)))).size == (4, 4)


def test_too_large_is_seen_in_the_header() -> None:
    with pytest.raises(DataError, match=f"got {MAX_PIXELS + 5000:,} pixels"):
        decoded(png(5000, MAX_PIXELS // 5000 + 1))


def test_animations() -> None:
    pictures = [Image.new("L", (8, 16), grey) for grey in (1, 2)]
    blob = encoded(pictures[0], save_all=True, append_images=pictures[1:])
    with pytest.raises(DataError, match="is animated, got 2 pictures"):
        decoded(blob)
