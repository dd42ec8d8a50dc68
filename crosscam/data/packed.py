"""Packed images: the encoded bytes of all images in one file, and an index of them.

One file instead of 33,000 makes the stage and everything DVC does with its outputs 10
to 80 times faster. The bytes are those of the archive, so nothing is lost.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from crosscam.data.faults import DataError

# A table's columns, in order, with the types to read them by.
INDEX_COLUMNS: Mapping[str, str] = {
    "member": "str",
    "offset": "int64",
    "size": "int64",
    "width": "int64",
    "height": "int64",
    "sha256": "str",
    "subset": "str",
    "pid": "int64",
    "camid": "int64",
    "sequence": "int64",
    "frame": "int64",
}

# The columns of the tables of the stage split; all are integers.
TRAIN_COLUMNS = ("offset", "size", "camid")
TEST_COLUMNS = (*TRAIN_COLUMNS, "pid")
SPLIT_COLUMNS: Mapping[str, Sequence[str]] = {
    "train": TRAIN_COLUMNS,
    "query": TEST_COLUMNS,
    "gallery": TEST_COLUMNS,
    "truth": ("pid",),
}


def read_index(path: Path) -> pd.DataFrame:
    """Return the table in ``index.csv``, with the columns and types `INDEX_COLUMNS`.

    Raises
    ------
    DataError
        If the file cannot be read or is not such a table.
    """
    return _typed(path, INDEX_COLUMNS, "an index of images", "unzip")


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return a table that the stage split wrote, with these columns of integers.

    Parameters
    ----------
    path
        A file such as ``train.csv``.
    columns
        Of `SPLIT_COLUMNS`. More columns are refused too: a training table with
        identities is not one.

    Raises
    ------
    DataError
        If the file cannot be read or is not such a table.
    """
    return _typed(path, dict.fromkeys(columns, "int64"), "a table of images", "split")


def _typed(path: Path, types: Mapping[str, str], kind: str, stage: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=dict(types), keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: not {kind}, got {error}: run the stage {stage}"
        ) from error
    if list(table.columns) != list(types):
        raise DataError(
            f"{path}: columns must be {list(types)}, got {list(table.columns)}:"
            f" run the stage {stage}"
        )
    return table


class PackedImages:
    """The encoded images in ``images.bin``, read through a memory map.

    Parameters
    ----------
    path
        The file. It must not change as long as this object is in use.

    Raises
    ------
    DataError
        If the file is missing or empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path}: no packed images, got {error}: run the stage unzip"
            ) from error

    def __len__(self) -> int:
        """Return the size of the file in bytes."""
        return len(self._map)

    def blob(self, offset: int, size: int) -> bytes:
        """Return the bytes of one encoded image.

        Parameters
        ----------
        offset, size
            Where the image begins and how many bytes it has.

        Raises
        ------
        DataError
            If the file has no such bytes: it is not the one that was indexed.
        """
        if offset < 0 or size < 1 or offset + size > len(self._map):
            raise DataError(
                f"{self._path}: has {len(self._map)} bytes, got an image of {size}"
                f" bytes at {offset}: run the stage unzip"
            )
        return self._map[offset : offset + size]
