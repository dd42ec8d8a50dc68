"""Read a dataset's zip without trusting it; nothing is extracted by member name."""

from __future__ import annotations

import hashlib
import io
import itertools
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import NamedTuple

from crosscam.data.faults import DataError
from crosscam.data.paths import path_faults, strange

# Bounds on what one archive may ask of the machine, far above any person dataset.
MAX_TOTAL_BYTES = 50 * 10**9  # MSMT17, the largest in use, unpacks to about 2.5 GB
MAX_IMAGE_BYTES = 32 * 2**20  # an image is held in memory whole; Market's have 4 kB
MAX_RATIO = 100  # deflate shrinks Market's JPEGs 1.2 times at most; a bomb, up to 1032
MAX_DIRECTORY_BYTES = (
    100 * 2**20
)  # of all names; MSMT17's take 16 MB, and 10 × the memory

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1  # bit of a member's flags
_LOCAL_HEADER = 30  # bytes before each member, at least
_OPEN_ERRORS = (
    zipfile.BadZipFile,
    NotImplementedError,  # a zip version that Python does not read
    ValueError,  # member names that are not in the encoding they claim
    struct.error,
    OSError,
)
_READ_ERRORS = (*_OPEN_ERRORS, zlib.error, EOFError)


class Digests(NamedTuple):
    """Hexadecimal digests of a file: sha256 identifies it, md5 is what others list."""

    sha256: str
    md5: str


def digests_of(chunks: Iterable[bytes]) -> Digests:
    """Return the digests of all chunks, one after the other."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        sha256.update(chunk)
        md5.update(chunk)
    return Digests(sha256.hexdigest(), md5.hexdigest())


class Archive:
    """A zip whose members are checked when it is opened and read by name.

    Parameters
    ----------
    path
        The zip file.

    Attributes
    ----------
    names
        Paths of the members that are files and have a sound path, in the archive's
        order, each once, with ``/`` between the parts.
    faults
        Per faulty member, what is wrong with it: a path as `crosscam.data.paths`
        refuses it, a link or device, encryption, a compression method other than none
        or deflate. An archive with faults must not be used.

    Raises
    ------
    DataError
        If there is no such file, if it is not a whole zip, if its members overlap, or
        if it would unpack to more than `MAX_TOTAL_BYTES`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with ExitStack() as opened:
            self._zip = _open(path, opened)
            members = self._zip.infolist()
            if fault := _whole_fault(members):
                raise DataError(f"{path}: {fault}")
            self._opened = opened.pop_all()
        named = [(_path(info), info) for info in members]
        self._files = {name: info for name, info in named if not _is_folder(info)}
        self.faults = _member_faults(named)
        self.names = tuple(name for name in self._files if not strange(name))

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    def size(self, name: str) -> int:
        """Return the bytes that member `name`, one of `names`, claims to unpack to."""
        return self._files[name].file_size

    def read(self, name: str) -> bytes:
        """Return the bytes of member `name`, one of `names`, checked by their CRC.

        Raises
        ------
        DataError
            If the member has a fault, is larger than `MAX_IMAGE_BYTES`, is compressed
            more than `MAX_RATIO` times, or is damaged.
        """
        if name in self.faults:
            raise DataError(self.faults[name])
        member = self._files[name]
        if (size := max(member.file_size, member.compress_size)) > MAX_IMAGE_BYTES:
            raise DataError(
                f"{name!r}: too large for a person image, got {size:,} bytes: at most"
                f" {MAX_IMAGE_BYTES:,} are read"
            )
        if member.file_size > MAX_RATIO * member.compress_size:
            raise DataError(
                f"{name!r}: unpacks {member.compress_size:,} bytes to"
                f" {member.file_size:,}, more than {MAX_RATIO} times as many: no image"
                " shrinks like that, do not trust the archive"
            )
        try:
            with self._zip.open(member) as file:
                # Where no size is asked for, a lying member unpacks to 1 GiB at once.
                return file.read(member.file_size)
        except _READ_ERRORS as error:
            raise DataError(
                f"{name!r}: damaged in the archive, got {error}: get the archive again"
            ) from error

    def digests(self) -> Digests:
        """Return the digests of the zip itself, read in one pass."""
        with self._path.open("rb") as file:
            return digests_of(iter(lambda: file.read(2**20), b""))


class _Bounded(io.BufferedReader):
    """A zip of which no piece is read that would fill the memory.

    zipfile reads the directory as a whole, of the size that the record at the end of
    the file gives. Which record that is, it alone knows: one can lie in another's
    comment. So the limit is held where it reads.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise DataError(
                f"{self.name}: has a directory of {size:,} bytes, the limit is"
                f" {MAX_DIRECTORY_BYTES:,}: this is not a dataset of person images"
            )
        return super().read(size)


def _open(path: Path, opened: ExitStack) -> zipfile.ZipFile:
    try:
        _check_kind(path)
        file = opened.enter_context(_Bounded(io.FileIO(path)))
        return opened.enter_context(zipfile.ZipFile(file))
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: no such file: put the dataset's zip there or name another one"
            " under 'archive' in params.yaml (see docs/datasets.md)"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: the name of a member is said to be UTF-8 and is not, got"
            f" {error.object[:80]!r}: zip the folder again"
        ) from error
    except _OPEN_ERRORS as error:
        said = getattr(error, "strerror", None) or error  # without the path once more
        raise DataError(
            f"{path}: not a zip file, or not all of it, got {said}: get it again"
        ) from error


def _check_kind(path: Path) -> None:
    """Raise if a file cannot be opened without waiting."""
    if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe is to wait for ever
        raise DataError(
            f"{path}: not a zip file, got a folder, pipe or device: name a zip or a"
            " folder under 'archive' in params.yaml"
        )


def _whole_fault(members: list[zipfile.ZipInfo]) -> str | None:
    """Return what is wrong with the members as a whole, or None."""
    places = sorted(members, key=lambda info: info.header_offset)
    if places and places[0].header_offset < 0:
        return "not all of it is there, its beginning is missing: get it again"
    for one, other in itertools.pairwise(places):
        # As in a bomb of some kB that unpacks to petabytes (Fifield, 2019). Python
        # refuses such members as well, since 3.11.8, but only when they are read.
        if one.header_offset + _LOCAL_HEADER + one.compress_size > other.header_offset:
            return (
                f"members {_path(one)!r} and {_path(other)!r} lie on one another: do"
                " not trust the archive"
            )
    if (total := sum(info.file_size for info in members)) > MAX_TOTAL_BYTES:
        return (
            f"would unpack to {total:,} bytes, the limit is {MAX_TOTAL_BYTES:,}: this"
            " is not a dataset of person images"
        )
    return None


def _member_faults(named: list[tuple[str, zipfile.ZipInfo]]) -> dict[str, str]:
    faults = {}
    for name, info in named:
        kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where no Unix wrote the zip
        if fault := strange(name):
            faults[name] = fault
        elif "\0" in info.orig_filename:  # what Python reads ends there
            faults[name] = "has a zero byte in its name: rename it"
        elif kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            faults[name] = "is a link or a device: put the file itself in its place"
        elif info.flag_bits & _ENCRYPTED:
            faults[name] = "is encrypted: unpack with its password and zip it again"
        elif info.compress_type not in _METHODS:
            faults[name] = (
                "is compressed by a method other than deflate, got method"
                f" {info.compress_type}: zip the folder again"
            )
    files = [name for name, info in named if not _is_folder(info)]
    faults = path_faults(files) | faults
    return {name: f"{name!r}: {fault}" for name, fault in faults.items()}


def _path(member: zipfile.ZipInfo) -> str:
    """Return a member's path as others write it: no ``./``, ``//`` or backslashes."""
    return str(PurePosixPath(member.filename.replace("\\", "/")))


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.filename.endswith(("/", "\\"))
