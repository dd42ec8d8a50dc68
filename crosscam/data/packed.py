"""Packed images: the encoded bytes of all images in one file, and an index of them.

One file instead of 33,000 makes the stage and everything DVC does with its outputs 10
to 80 times faster. The bytes are those of the archive, so nothing is lost.
"""

from __future__ import annotations

import csv
import mmap
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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

# Smallest values; in sequence and frame, -1 is no time. Nothing else can be below.
LOWEST: Mapping[str, int] = {
    "offset": 0,
    "size": 1,
    "width": 1,
    "height": 1,
    "pid": -1,
    "camid": 0,
    "sequence": -1,
    "frame": -1,
}
SUBSETS = ("train", "val", "query", "gallery")

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
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", RuntimeWarning
            )  # a cast that loses something
            table = pd.read_csv(path, dtype=dict(types), keep_default_na=False)
        fault = _table_fault(table, types, kind)
    except OSError as error:
        fault = f"not {kind}, got {error.strerror}"
        raise DataError(f"{path}: {fault}: run the stage {stage}") from error
    except (ValueError, OverflowError, RuntimeWarning) as error:
        fault = f"not {kind}, got {error}"
    if not fault:
        return table
    # Line by line takes ten times as long, but can say where the fault is.
    faults = [*_line_faults(path, types)] or [f": {fault}"]
    raise DataError(*(f"{path}{fault}: run the stage {stage}" for fault in faults))


def _table_fault(
    table: pd.DataFrame, types: Mapping[str, str], kind: str
) -> str | None:
    """Return what is wrong with a table, if anything, without saying where."""
    if list(table.columns) != list(types):
        found = [str(column)[:80] for column in table.columns]
        return f"columns must be {list(types)}, got {found}"
    if not len(table):
        return f"{kind} without a row"
    low = any((table[c] < LOWEST[c]).any() for c in table.columns if c in LOWEST)
    lost = "subset" in table and not table["subset"].isin(SUBSETS).all()
    # Where all rows are too long, pandas takes what comes first for names of rows.
    if low or lost or not isinstance(table.index, pd.RangeIndex):
        return f"not {kind}"
    return None


def _line_faults(path: Path, types: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the lines of a table, if it has the right columns."""
    lengths: dict[int, list[int]] = defaultdict(list)  # to lines of this length
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            if next(reader, None) != list(types):
                return
            for row in filter(None, reader):
                if len(row) != len(types):
                    lengths[len(row)].append(reader.line_num)
                    continue
                for column, value in zip(types, row, strict=True):
                    if fault := _field_fault(column, types[column], value):
                        yield f" line {reader.line_num}: {fault}"
        except csv.Error as error:
            yield f" line {reader.line_num}: is no line of a table, got {error}"
    for length, lines in lengths.items():
        others = f" (and {len(lines) - 1} lines more)" if len(lines) > 1 else ""
        yield f" line {lines[0]}{others}: must have {len(types)} fields, got {length}"


def _field_fault(column: str, kind: str, value: str) -> str | None:
    """Return what is wrong with a field, or None."""
    if kind != "int64":
        known = column != "subset" or value in SUBSETS
        return None if known else f"subset must be one of {[*SUBSETS]}, got {value!r}"
    if not re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
        return f"{column} must be an integer, got {value!r}"
    low = LOWEST[column]
    return f"{column} must be at least {low}, got {value}" if int(value) < low else None


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
            said = getattr(error, "strerror", None) or error  # without the path again
            raise DataError(
                f"{path}: no packed images, got {said}: run the stage unzip"
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

    def fault(self, offset: int, size: int, what: str) -> str:
        """Return a message about one encoded image.

        Parameters
        ----------
        offset, size
            Where the image begins and how many bytes it has.
        what
            What is wrong with it.
        """
        return (
            f"{self._path}: image of {size} bytes at {offset}: {what}: run the stage"
            " unzip"
        )
