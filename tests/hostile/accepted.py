"""Odd inputs that are taken, and what a researcher gets for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from crosscam.data.images import decode
from crosscam.data.packed import PackedImages, read_index
from tests.hostile.archives import ARCHIVE, with_member
from tests.hostile.datasets import TOP, with_image
from tests.hostile.images import PLACE, encoded, noise
from tests.hostile.images import with_image as with_blob
from tests.zips import jpeg, mac_members, market_members, write_zip

COLOUR = (200, 100, 50)


def pixels(folder: Path) -> np.ndarray:
    """Return the added image as the network sees it, (16, 8, 3)."""
    index = read_index(folder / "data/packed/index.csv").set_index("member")
    row = index.loc[PLACE]
    packed = PackedImages(folder / "data/packed/images.bin")
    blob = packed.blob(int(row["offset"]), int(row["size"]))
    return np.asarray(decode(blob, (16, 8)))


def close(found: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Return whether all pixels have nearly this colour."""
    return bool(np.all(np.abs(found.astype(int) - colour) <= 4))


def members(folder: Path) -> pd.Series:
    """Return the members of the index."""
    return read_index(folder / "data/packed/index.csv")["member"]


def cmyk_jpeg(folder: Path) -> None:
    """A JPEG in the colours of printing: becomes RGB."""
    with_blob(
        folder, encoded(Image.new("RGB", (8, 16), COLOUR).convert("CMYK"), "JPEG")
    )


def check_cmyk_jpeg(folder: Path) -> None:
    assert close(pixels(folder), COLOUR)


def grey_png(folder: Path) -> None:
    """A PNG of one channel: all three channels are that one."""
    with_blob(folder, encoded(Image.new("L", (8, 16), 77), "PNG"))


def check_grey_png(folder: Path) -> None:
    assert np.all(pixels(folder) == 77)


def png_with_a_palette(folder: Path) -> None:
    """A PNG with a palette: becomes the colours of the palette."""
    image = Image.new("RGB", (8, 16), COLOUR).quantize(4)
    with_blob(folder, encoded(image, "PNG", transparency=3))


def check_png_with_a_palette(folder: Path) -> None:
    assert close(pixels(folder), COLOUR)


def transparent_png(folder: Path) -> None:
    """A PNG whose pixels can be seen through: transparency is left out."""
    with_blob(folder, encoded(Image.new("RGBA", (8, 16), (*COLOUR, 30)), "PNG"))


def check_transparent_png(folder: Path) -> None:
    assert np.all(pixels(folder) == COLOUR)


def jpeg_with_two_pictures(folder: Path) -> None:
    """A JPEG in which a camera keeps a second picture: the first counts."""
    second = Image.new("RGB", (8, 16), (0, 0, 0))
    first = Image.new("RGB", (8, 16), COLOUR)
    with_blob(folder, encoded(first, "MPO", save_all=True, append_images=[second]))


def check_jpeg_with_two_pictures(folder: Path) -> None:
    assert close(pixels(folder), COLOUR)


def jpeg_that_lies_on_its_side(folder: Path) -> None:
    """A JPEG with the note that it is to be turned: pixels stay as they are stored."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    with_blob(folder, encoded(noise(16, 8, 3), "JPEG", exif=exif))


def check_jpeg_that_lies_on_its_side(folder: Path) -> None:
    index = read_index(folder / "data/packed/index.csv").set_index("member")
    assert index.loc[PLACE, ["width", "height"]].tolist() == [8, 16]


def png_called_jpg(folder: Path) -> None:
    """A PNG that is called .jpg: read for what it is."""
    with_blob(folder, encoded(Image.new("RGB", (8, 16), COLOUR), "PNG"))


def check_png_called_jpg(folder: Path) -> None:
    assert np.all(pixels(folder) == COLOUR)


def jpeg_with_an_appendix(folder: Path) -> None:
    """A JPEG with bytes behind its end: kept, and the appendix is not looked at."""
    with_blob(folder, jpeg(1) + b"appendix" * 10)


def check_jpeg_with_an_appendix(folder: Path) -> None:
    assert pixels(folder).shape == (16, 8, 3)


def system_files(folder: Path) -> None:
    """What macOS adds to a zip: left out, and counted in metrics/unzip.json."""
    write_zip(folder / ARCHIVE, mac_members(market_members(TOP)))


def check_system_files(folder: Path) -> None:
    assert sorted(members(folder)) == sorted(market_members(TOP))


def harmless_dots(folder: Path) -> None:
    """A path that climbs no higher than to where it is: read as the path it means."""
    with_member(folder, f"./{TOP}//query/./0003_c1s1_000301_01.jpg")


def check_harmless_dots(folder: Path) -> None:
    assert PLACE in set(members(folder))


def image_in_two_subsets(folder: Path) -> None:
    """The same bytes under two names: two images, packed once."""
    first = next(iter(market_members(TOP).values()))
    write_zip(folder / ARCHIVE, market_members(TOP) | {PLACE: first})


def check_image_in_two_subsets(folder: Path) -> None:
    index = read_index(folder / "data/packed/index.csv")
    assert len(index) == len(market_members(TOP)) + 1
    assert index["offset"].nunique() == len(market_members(TOP))


def camera_of_a_large_number(folder: Path) -> None:
    """Camera 999: numbers need not follow one another."""
    with_image(folder, "query/0003_c999s1_000301_01.jpg")


def check_camera_of_a_large_number(folder: Path) -> None:
    assert 998 in set(read_index(folder / "data/packed/index.csv")["camid"])


ACCEPTED = (
    (cmyk_jpeg, check_cmyk_jpeg),
    (grey_png, check_grey_png),
    (png_with_a_palette, check_png_with_a_palette),
    (transparent_png, check_transparent_png),
    (jpeg_with_two_pictures, check_jpeg_with_two_pictures),
    (jpeg_that_lies_on_its_side, check_jpeg_that_lies_on_its_side),
    (png_called_jpg, check_png_called_jpg),
    (jpeg_with_an_appendix, check_jpeg_with_an_appendix),
    (system_files, check_system_files),
    (harmless_dots, check_harmless_dots),
    (image_in_two_subsets, check_image_in_two_subsets),
    (camera_of_a_large_number, check_camera_of_a_large_number),
)
