"""Atomic, byte-stable writing of the files that stages leave behind.

Each function writes to a temporary file beside its target, syncs it and renames it:
a kill at any moment leaves the earlier file or the new one, never half of one. The
same values give the same bytes: keys are sorted, dates are fixed, floats rounded.
"""

from __future__ import annotations

import glob
import json
import math
import os
import struct
import tempfile
import tokenize
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import safetensors.numpy
from numpy.typing import NDArray

# What zipfile and numpy raise on spoiled files (see benchmarks/fuzz.py).
_NPZ_ERRORS = (
    zipfile.BadZipFile,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,  # of a shape that the header claims
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip member can carry


@contextmanager
def replacing(path: Path, *, synced: bool = True) -> Iterator[IO[bytes]]:
    """Open a temporary binary file that takes the place of `path` at the end.

    If the block raises, the temporary file is removed and `path` is untouched. A kill
    leaves the temporary file behind, named ``.<name>.<process>.<random>.tmp``, until
    `path` is written again. Missing parent folders are made. The new file gets the
    rights of any new file. Unless it is `synced`, a machine that loses its power may
    leave one without its data. An error of the system that names no file, as that of
    a full disk, names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    prefix = f".{path.name}.{os.getpid()}."
    handle, name = tempfile.mkstemp(".tmp", prefix, path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            if synced:  # else it is written as it is closed
                put_on_disk(file)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)  # mkstemp gives 0600
        Path(name).replace(path)
    except BaseException as error:  # also a Ctrl-C: clean up, then go on raising
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)
        raise


def put_on_disk(file: IO[bytes]) -> None:
    """Wait until the disk has all that was written so far, or has no room for it."""
    file.flush()
    os.fsync(file.fileno())


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed processes left of `path`."""
    prefix = f".{path.name}."
    for left in sorted(path.parent.glob(f"{glob.escape(prefix)}*.tmp")):
        process = left.name.removeprefix(prefix).partition(".")[0]
        if process.isdecimal() and not is_alive(int(process)):
            left.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Return whether there is a process of this number on this machine, anybody's."""
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, atomically."""
    with replacing(path) as file:
        file.write(data)


def write_json(path: Path, value: Any, digits: int = 6) -> None:
    """Write a `json_text`.

    Parameters
    ----------
    path
        The file to write or to replace.
    value, digits
        As for `json_text`.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    write_bytes(path, json_text(value, path.name, digits).encode())


def json_text(value: Any, name: str, digits: int = 6) -> str:
    """Return JSON with sorted keys and floats rounded to `digits` decimals.

    Parameters
    ----------
    value
        Mappings, lists, tuples, arrays and scalars of Python or NumPy, in any
        nesting. Keys become text.
    name
        What to call it in messages.
    digits
        Decimals kept of every float; -0.0 is written as 0.0.

    Raises
    ------
    ValueError
        If a number is not finite: JSON has no such number.
    """
    return json.dumps(_plain(value, digits, name), indent=2, sort_keys=True) + "\n"


def _plain(value: Any, digits: int, where: str) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(k): _plain(v, digits, f"{where}: {k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, digits, where) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where}: must be finite to be written, got {value!r}")
        return round(value, digits) + 0.0  # -0.0 and 0.0 are one number: one text
    return value


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a `csv_text`."""
    write_bytes(path, csv_text(table).encode())


def csv_text(table: pd.DataFrame) -> str:
    """Return a table without its row index, lines ended by a line feed alone."""
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as an uncompressed ``.npz`` in order of their names.

    `numpy.savez` stamps members with the current time; this does not.

    Raises
    ------
    ValueError
        If an array holds Python objects, which only pickle could store.
    """
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name in sorted(arrays):
            array = np.asarray(arrays[name], order="C")
            info = zipfile.ZipInfo(f"{name}.npy", date_time=EPOCH)
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


class NpzError(ValueError):
    """A file that does not hold the arrays that it should."""


def read_npz(path: Path, names: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` file that `write_npz` wrote.

    Nothing is unpickled and nothing unpacked, so that no file can run code or take
    more memory than it has bytes.

    Parameters
    ----------
    path
        The file.
    names
        Arrays that must be in it.

    Raises
    ------
    NpzError
        If the file is none, is damaged or compressed, or lacks an array.
    FileNotFoundError
        If there is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            arrays = {m.filename[:-4]: _array(archive, m) for m in members}
    except FileNotFoundError:
        raise
    except _NPZ_ERRORS as error:
        raise NpzError(
            f"{path}: not a whole .npz file, got {error}: run the stage that writes it"
        ) from error
    if missing := sorted({*names} - arrays.keys()):
        raise NpzError(
            f"{path}: lacks the arrays {missing}, got {list(arrays)[:9]}: run the stage"
            " that writes it"
        )
    return arrays


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename!r} compressed")
    try:
        with archive.open(member) as file:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except (SyntaxError, tokenize.TokenError) as error:
        # Python's words for it differ between its versions.
        raise ValueError(f"{member.filename!r} with a broken header") from error
    return array


def write_safetensors(
    path: Path,
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str],
    *,
    synced: bool = True,
) -> None:
    """Write arrays and metadata in the safetensors format, each in a fixed order.

    Parameters
    ----------
    path
        The file to write or to replace.
    tensors
        Arrays of any shape and memory order, of the number types of the format.
    metadata
        Text values only, as the format asks.
    synced
        As for `replacing`.

    Raises
    ------
    SafetensorError
        If the format has no name for an array's type.

    Notes
    -----
    The ``safetensors`` package writes the metadata in an order that changes from
    process to process (0.8.0: four processes, four md5s), so it is added here. The
    package also writes an array's memory as it lies: a transposed view would come
    back as another matrix, so every array is put in C order first.
    """
    ordered = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    data = safetensors.numpy.save(ordered)
    start = 8 + int.from_bytes(data[:8], "little")
    sorted_metadata = dict(sorted(metadata.items()))
    header = {"__metadata__": sorted_metadata, **json.loads(data[8:start])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the data to 8 bytes
    with replacing(path, synced=synced) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.write(memoryview(data)[start:])
