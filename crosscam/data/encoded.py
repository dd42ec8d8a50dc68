"""Encoded images: which are accepted, and what is wrong with the others."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib

from PIL import Image, UnidentifiedImageError

from crosscam.data.faults import DataError

FORMATS = ("JPEG", "PNG")  # the fewer decoders, the smaller the surface of attack
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")  # become RGB by one known rule
MAX_PIXELS = 25_000_000  # a photograph of 24 megapixels; a box of a person has 10,000
MIN_SIDE = 4  # pixels; what stands for an image that could not be fetched has one

_DECODE_ERRORS = (
    OSError,  # cut short
    SyntaxError,  # what Pillow raises on a broken PNG
    ValueError,
    EOFError,
    IndexError,
    OverflowError,
    struct.error,
    zlib.error,
)


def decoded(blob: bytes | memoryview) -> Image.Image:
    """Return an image, decoded, in a mode of `MODES`.

    Parameters
    ----------
    blob
        The bytes of a JPEG or PNG file. Of a JPEG with several pictures, as some
        cameras write it, the first is taken. A transparent colour is as any other.

    Raises
    ------
    DataError
        If `blob` is no whole image of these formats, has more pixels than `MAX_PIXELS`
        or a side below `MIN_SIDE`, is animated, or has more than 8 bits per channel in
        a form that RGB would not keep. Says neither where the image is nor what to do.
    """
    try:
        with warnings.catch_warnings():
            # Of damaged EXIF data and the like, which nothing here reads.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(blob), formats=FORMATS)
            _check_header(image)
            image.load()
            image.info.pop("transparency", None)  # RGB has none; Pillow warns of some
            return image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's own limit, which is higher, comes before we see the image.
        (pixels,) = re.findall(r"\((\d+) pixels\)", str(error))
        raise DataError(_too_large(int(pixels))) from error
    except UnidentifiedImageError as error:  # its text holds a memory address
        raise DataError(f"not a {' or '.join(FORMATS)} image") from error
    except DataError:
        raise
    except _DECODE_ERRORS as error:
        raise DataError(f"cannot be decoded, got {error}") from error


def _check_header(image: Image.Image) -> None:
    """Raise what is wrong with an image, none of whose pixels are decoded yet."""
    if (pixels := image.width * image.height) > MAX_PIXELS:
        raise DataError(_too_large(pixels))
    if min(image.size) < MIN_SIDE:
        raise DataError(
            f"too small for a person, got {image.width} × {image.height} pixels: at"
            f" least {MIN_SIDE} × {MIN_SIDE} are needed"
        )
    if image.mode not in MODES:
        raise DataError(
            f"has more than 8 bits per channel, got the mode {image.mode!r} of Pillow"
        )
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise DataError(f"is animated, got {getattr(image, 'n_frames', 1)} pictures")


def _too_large(pixels: int) -> str:
    return (
        f"too large for a person, got {pixels:,} pixels: at most {MAX_PIXELS:,} are"
        " decoded"
    )
