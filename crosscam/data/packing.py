"""Pack the images of a dataset into one file, after decoding each of them once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import IO, NamedTuple

import pandas as pd

from crosscam.data.archive import MAX_IMAGE_BYTES
from crosscam.data.encoded import decoded
from crosscam.data.faults import DataError
from crosscam.data.listing import ImageMember
from crosscam.data.packed import INDEX_COLUMNS
from crosscam.data.source import Source

_REMEDY = "replace the image or take it out of the archive"


class Size(NamedTuple):
    """Width and height of an image in pixels."""

    width: int
    height: int


class Scan(NamedTuple):
    """What a reading of all images found.

    Parameters
    ----------
    table
        One row per image that could be read, with the columns `INDEX_COLUMNS`, in
        order of (offset, subset, camid, member). Offsets follow the order of SHA-256;
        equal images share one.
    faults
        One text per image that could not.
    """

    table: pd.DataFrame
    faults: tuple[str, ...]


def scan(archive: Source, images: Iterable[ImageMember]) -> Scan:
    """Return the index of images, after reading and decoding each of them once.

    Parameters
    ----------
    archive
        Where the images are. No more than one of them is held in memory.
    images
        The images, in any order: the result does not depend on it.
    """
    rows: list[dict[str, str | int]] = []
    faults: list[str] = []
    for image in images:
        try:
            rows.append(_row(image, archive.read(image.member)))
        except DataError as error:
            faults += error.faults
    return Scan(_index(rows), tuple(faults))


def _row(image: ImageMember, blob: bytes) -> dict[str, str | int]:
    return {
        "member": image.member,
        "size": len(blob),
        **decoded_size(blob, repr(image.member))._asdict(),
        "sha256": hashlib.sha256(blob).hexdigest(),
        "subset": image.subset,
        **image.name._asdict(),
    }


def _index(rows: list[dict[str, str | int]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(INDEX_COLUMNS))
    table = table.sort_values(["sha256", "subset", "camid", "member"])
    blobs = table.drop_duplicates("sha256")
    ends = pd.Series(blobs["size"].cumsum().to_numpy(), index=blobs["sha256"])
    table["offset"] = table["sha256"].map(ends) - table["size"]
    return table.astype(dict(INDEX_COLUMNS)).reset_index(drop=True)


def decoded_size(blob: bytes, where: str) -> Size:
    """Return the size of an encoded image after decoding all of it.

    Parameters
    ----------
    blob
        The bytes of a JPEG or PNG file.
    where
        What to call the image in an error.

    Raises
    ------
    DataError
        As `crosscam.data.encoded.decoded`.
    """
    try:
        return Size(*decoded(blob).size)
    except DataError as error:
        raise DataError(f"{where}: {error}: {_REMEDY}") from error


def packed_size(archive: Source, images: Iterable[ImageMember]) -> int:
    """Return how many bytes images take when they are packed, or fewer.

    Fewer where some are equal; nothing is read or unpacked for it.

    Parameters
    ----------
    archive
        Where the images are.
    images
        The images. One that is too large to be read counts as the largest that is.
    """
    sizes = (archive.size(image.member) for image in images)
    return sum(min(size, MAX_IMAGE_BYTES) for size in sizes)


def write_images(archive: Source, index: pd.DataFrame, file: IO[bytes]) -> None:
    """Write the bytes of all images, each distinct one once, in order of their offset.

    Parameters
    ----------
    archive
        The archive that `index` was made from.
    index
        A table with the columns `INDEX_COLUMNS`.
    file
        A binary file, at its beginning.
    """
    for member in index.drop_duplicates("offset")["member"]:
        file.write(archive.read(member))
