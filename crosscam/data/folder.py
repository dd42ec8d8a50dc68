"""Read a dataset that lies unpacked in a folder, as `Archive` reads one in a zip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from crosscam.data.archive import (
    MAX_IMAGE_BYTES,
    MAX_TOTAL_BYTES,
    Digests,
    digests_of,
)
from crosscam.data.faults import DataError
from crosscam.data.paths import path_faults, strange


class Folder:
    """A folder whose files are checked when it is opened and read by name.

    Parameters
    ----------
    path
        The folder; may be a link to one. Its files must not change as long as this
        object is in use.

    Attributes
    ----------
    names
        Paths of the files in the folder and below, in order, with ``/`` between the
        parts. A link to a file of the folder counts as that file.
    faults
        Per faulty file, what is wrong with it: a link to a place outside the folder, to
        a folder or to nothing, a device, socket or pipe, a name that is no text, a path
        as `crosscam.data.paths` refuses it. A folder with faults must not be used.

    Raises
    ------
    DataError
        If the folder or one below cannot be read, or holds more than `MAX_TOTAL_BYTES`.
    """

    def __init__(self, path: Path) -> None:
        self._root = Path(os.path.realpath(path))
        try:
            found = dict(sorted(_walk(self._root)))
            faults = {n: _fault(n, entry, self._root) for n, entry in found.items()}
            self.names = tuple(name for name, fault in faults.items() if not fault)
            self._sizes = {name: found[name].stat().st_size for name in self.names}
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read, got {error}: see to its permissions"
            ) from error
        faults |= path_faults(self.names)
        self.faults = {n: f"{n!r}: {fault}" for n, fault in faults.items() if fault}
        if (total := sum(self._sizes.values())) > MAX_TOTAL_BYTES:
            raise DataError(
                f"{path}: holds {total:,} bytes, the limit is {MAX_TOTAL_BYTES:,}: this"
                " is not a dataset of person images"
            )

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def size(self, name: str) -> int:
        """Return the bytes of file `name`, one of `names`, when this was opened."""
        return self._sizes[name]

    def read(self, name: str) -> bytes:
        """Return the bytes of file `name`, one of `names`.

        Raises
        ------
        DataError
            If the file has a fault, is larger than `MAX_IMAGE_BYTES`, or cannot be
            read.
        """
        if name in self.faults:
            raise DataError(self.faults[name])
        path = self._root / name
        try:
            if (size := path.stat().st_size) <= MAX_IMAGE_BYTES:
                return path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{name!r}: cannot be read, got {error}: see to its permissions"
            ) from error
        raise DataError(
            f"{name!r}: too large for a person image, got {size:,} bytes: at most"
            f" {MAX_IMAGE_BYTES:,} are read"
        )

    def digests(self) -> Digests:
        """Return digests of all names and contents.

        They are those of one text: of each file, in order of the names, its name, a
        zero byte, its size in decimal figures, a zero byte, its contents.
        """
        return digests_of(chunk for name in self.names for chunk in self._chunks(name))

    def _chunks(self, name: str) -> Iterator[bytes]:
        path = self._root / name
        yield f"{name}\0{path.stat().st_size}\0".encode()
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                yield chunk


def _walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield what a folder and those below hold, by its path in it; follow no link.

    Of folders those alone whose path has a fault; what they hold is left out.
    """
    folders = [""]  # a list, as Python gives up on calls a thousand deep
    while folders:
        above = folders.pop()
        with os.scandir(root / above) as entries:
            for entry in entries:
                name = f"{above}{entry.name}"
                if entry.is_dir(follow_symlinks=False) and not _path_fault(name):
                    folders.append(f"{name}/")
                else:
                    yield name, entry


def _path_fault(name: str) -> str | None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "name is not a text in UTF-8: rename it"
    return strange(name)


def _fault(name: str, entry: os.DirEntry[str], root: Path) -> str | None:
    """Return what is wrong with an entry that `_walk` yields, or None."""
    if fault := _path_fault(name):
        return fault
    if not entry.is_symlink():
        if entry.is_file():
            return None
        return "is a device, a socket or a pipe: take it out of the folder"
    target = Path(os.path.realpath(entry.path))
    if not target.is_relative_to(root):
        return "is a link that leaves the folder: put the file itself in its place"
    if not target.is_file():
        return "is a link, but to no file: take it out of the folder"
    return None
