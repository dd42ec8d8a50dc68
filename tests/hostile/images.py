"""Images that must be refused, each in a sound zip among sound images."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.hostile.case import cases
from tests.hostile.workspace import ARCHIVE
from tests.zips import jpeg, market_members, write_zip

PLACE = "Market/query/0003_c1s1_000301_01.jpg"


def with_image(folder: Path, blob: bytes) -> None:
    """Add an image to the dataset, which is not compressed again."""
    members = market_members("Market") | {PLACE: blob}
    write_zip(folder / ARCHIVE, members, zipfile.ZIP_STORED)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(*shape: int) -> Image.Image:
    """Return an image of random pixels, of (height, width, channels)."""
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(
    width: int, height: int, *chunks: bytes, depth: int = 8, kind: int = 2
) -> bytes:
    """Return a PNG with this header and these chunks after it."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# Not an image


def empty_image(folder: Path) -> None:
    """A file without a byte."""
    with_image(folder, b"")


def text_as_jpeg(folder: Path) -> None:
    """A text that is called .jpg."""
    with_image(folder, b"not found\n" * 100)


def gif_as_jpeg(folder: Path) -> None:
    """A GIF that is called .jpg."""
    with_image(folder, encoded(noise(16, 8, 3), "GIF"))


def postscript_as_jpeg(folder: Path) -> None:
    """A program in PostScript, which Pillow would hand to Ghostscript."""
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 16\n(evil) (w) file\n%%EOF\n"
    with_image(folder, page)


def svg_as_jpeg(folder: Path) -> None:
    """A drawing with a script in it."""
    with_image(folder, b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")


# Damaged


def truncated_jpeg(folder: Path) -> None:
    """A JPEG without its last pixels."""
    with_image(folder, jpeg(1)[:-50])


def jpeg_header_alone(folder: Path) -> None:
    """A JPEG up to where its pixels begin."""
    with_image(folder, jpeg(1)[: jpeg(1).index(b"\xff\xda")])


def truncated_png(folder: Path) -> None:
    """The first part of a PNG."""
    with_image(folder, encoded(noise(64, 32, 3), "PNG")[:-500])


def wrong_png_checksum(folder: Path) -> None:
    """A PNG whose header differs from its checksum."""
    data = bytearray(encoded(noise(16, 8, 3), "PNG"))
    data[20] ^= 1
    with_image(folder, bytes(data))


def png_without_pixels(folder: Path) -> None:
    """A PNG that has a header and an end."""
    with_image(folder, png(8, 16))


# Too large, too small, too deep


def giant_dimensions(folder: Path) -> None:
    """A PNG of some bytes whose header claims 100,000 × 100,000 pixels."""
    with_image(folder, png(100_000, 100_000, chunk(b"IDAT", zlib.compress(b""))))


def giant_jpeg(folder: Path) -> None:
    """A JPEG of 300 bytes whose header claims 60,000 × 60,000 pixels."""
    data = jpeg(1)
    at = data.index(b"\xff\xc0") + 5
    size = struct.pack(">HH", 60_000, 60_000)
    with_image(folder, data[:at] + size + data[at + 4 :])


def photograph_of_a_crowd(folder: Path) -> None:
    """A PNG of 6,000 × 6,000 pixels: Pillow would decode it without a word."""
    rows = zlib.compress(bytes(100), 9)
    with_image(folder, png(6_000, 6_000, chunk(b"IDAT", rows)))


def no_pixel(folder: Path) -> None:
    """A PNG of 0 × 0 pixels."""
    with_image(folder, png(0, 0, chunk(b"IDAT", zlib.compress(b""))))


def one_pixel(folder: Path) -> None:
    """A JPEG of 1 × 1 pixel, as it stands for images that could not be fetched."""
    with_image(folder, encoded(Image.new("RGB", (1, 1)), "JPEG"))


def one_row(folder: Path) -> None:
    """A PNG of one row of pixels."""
    with_image(folder, encoded(Image.new("RGB", (500, 1)), "PNG"))


def sixteen_bits(folder: Path) -> None:
    """A grey PNG of 16 bits, which Pillow would turn into white."""
    pixels = np.full((16, 8), 40_000, np.uint16)
    with_image(folder, encoded(Image.fromarray(pixels), "PNG"))


def text_bomb(folder: Path) -> None:
    """A PNG with a comment that unpacks to 10 MB."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10**7), 9))
    pixels = chunk(b"IDAT", zlib.compress(bytes(16 * 25)))
    with_image(folder, png(8, 16, text, pixels))


def animated_png(folder: Path) -> None:
    """A PNG of three pictures."""
    pictures = [Image.new("RGB", (8, 16), (grey, 0, 0)) for grey in (50, 100, 150)]
    blob = encoded(
        pictures[0], "PNG", save_all=True, append_images=pictures[1:], duration=100
    )
    with_image(folder, blob)


def several_bad_images(folder: Path) -> None:
    """Three images, each bad in its own way: all are told at once."""
    blobs = [b"text", jpeg(1)[:-50], encoded(Image.new("RGB", (1, 1)), "PNG")]
    names = [PLACE.replace("000301", f"00030{number}") for number in (2, 3, 4)]
    members = market_members("Market") | dict(zip(names, blobs, strict=True))
    write_zip(folder / ARCHIVE, members)


CASES = cases(
    "images",
    "stages.unzip",
    empty_image,
    text_as_jpeg,
    gif_as_jpeg,
    postscript_as_jpeg,
    svg_as_jpeg,
    truncated_jpeg,
    jpeg_header_alone,
    truncated_png,
    wrong_png_checksum,
    png_without_pixels,
    giant_dimensions,
    giant_jpeg,
    photograph_of_a_crowd,
    no_pixel,
    one_pixel,
    one_row,
    sixteen_bits,
    text_bomb,
    animated_png,
    several_bad_images,
)
