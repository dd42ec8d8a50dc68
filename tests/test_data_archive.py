from __future__ import annotations

import hashlib
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.archive import (
    MAX_DIRECTORY_BYTES,
    MAX_IMAGE_BYTES,
    MAX_TOTAL_BYTES,
    Archive,
)
from crosscam.data.faults import DataError
from tests.zips import add_member, market_members, write_zip


def test_members_are_read_by_name(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"folder/": b"", "folder/b": b"2", "a": b"11"})
    with Archive(path) as archive:
        assert archive.names == ("folder/b", "a")
        assert archive.faults == {}
        assert [archive.read(name) for name in archive.names] == [b"2", b"11"]
        assert [archive.size(name) for name in archive.names] == [1, 2]


def test_paths_are_told_in_one_way(tmp_path: Path) -> None:
    members = {"./a/b": b"1", "c\\d": b"2", "e//f": b"3"}
    with Archive(write_zip(tmp_path / "a.zip", members)) as archive:
        assert archive.names == ("a/b", "c/d", "e/f")
        assert archive.read("c/d") == b"2"


def test_digests_are_those_of_the_whole_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(2**20 + 1)  # more than is read at once
    path = write_zip(tmp_path / "a.zip", {"a": noise})
    data = path.read_bytes()
    with Archive(path) as archive:
        found = archive.digests()
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_missing_file_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.zip: no such file: put the dataset's"):
        Archive(tmp_path / "gone.zip")


@pytest.mark.parametrize("data", [b"", b"plain text", bytes(100)])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.zip: not a zip file, or not all of it"):
        Archive(tmp_path / "a.zip")


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a zip file"):
        Archive(tmp_path)


def test_truncated_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", market_members())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="not all of it"):
        Archive(path)


@pytest.mark.parametrize(
    "name",
    ["../a.jpg", "/a.jpg", "C:/a.jpg", "c:a.jpg", "a/../../b.jpg", "..\\a.jpg", "\\a"],
)
def test_path_outside_the_archive_is_a_fault(tmp_path: Path, name: str) -> None:
    with Archive(write_zip(tmp_path / "a.zip", {name: b"1", "good": b"2"})) as archive:
        assert archive.names == ("good",)
        assert len(archive.faults) == 1
        assert "path leads outside the archive" in next(iter(archive.faults.values()))


def test_folder_outside_the_archive_is_a_fault(tmp_path: Path) -> None:
    with Archive(write_zip(tmp_path / "a.zip", {"../up/": b""})) as archive:
        assert list(archive.faults) == ["../up"]


def test_two_dots_within_a_name_are_fine(tmp_path: Path) -> None:
    with Archive(write_zip(tmp_path / "a.zip", {"a..b/..c": b"1"})) as archive:
        assert archive.faults == {}


def test_link_is_a_fault(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"good": b"2"})
    add_member(path, "link", b"/etc/passwd", stat.S_IFLNK)
    with Archive(path) as archive:
        assert list(archive.faults) == ["link"]
        with pytest.raises(DataError, match="'link': is a link or a device"):
            archive.read("link")


@pytest.mark.parametrize("again", ["a/b", "a//b", "./a/b", "a\\b"])
def test_name_that_occurs_twice_is_a_fault(tmp_path: Path, again: str) -> None:
    path = write_zip(tmp_path / "a.zip", {"a/b": b"1"})
    add_member(path, again, b"2")
    with Archive(path) as archive:
        assert archive.names == ("a/b",)
        with pytest.raises(DataError, match="'a/b': occurs 2 times: keep one"):
            archive.read("a/b")


def test_encrypted_member_is_a_fault(tmp_path: Path) -> None:
    def encrypt(member: zipfile.ZipInfo) -> None:
        member.flag_bits |= 1

    with Archive(write_zip(tmp_path / "a.zip", {"a": b"1"}, spoil=encrypt)) as archive:
        with pytest.raises(DataError, match="'a': is encrypted: unpack with its passw"):
            archive.read("a")
        assert list(archive.faults) == ["a"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_a_fault(tmp_path: Path, method: int) -> None:
    with Archive(write_zip(tmp_path / "a.zip", {"a": b"1"}, method)) as archive:
        assert list(archive.faults) == ["a"]
        with pytest.raises(
            DataError, match=f"'a': .* got method {method}: zip the folder again"
        ):
            archive.read("a")


def test_wrong_checksum_is_found(tmp_path: Path) -> None:
    def damage(member: zipfile.ZipInfo) -> None:
        member.CRC ^= 1

    path = write_zip(tmp_path / "a.zip", {"a": b"1", "b": b"2"}, spoil=damage)
    with Archive(path) as archive:
        with pytest.raises(DataError, match="'a': damaged in the archive, got Bad CRC"):
            archive.read("a")
        assert archive.read("b") == b"2"


def test_absurd_compression_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a": bytes(2**20)})
    with (
        Archive(path) as archive,
        pytest.raises(DataError, match="more than 100 times"),
    ):
        archive.read("a")


def test_absurd_size_of_a_member_is_refused_unread(tmp_path: Path) -> None:
    def inflate(member: zipfile.ZipInfo) -> None:
        member.file_size = MAX_IMAGE_BYTES + 1

    path = write_zip(tmp_path / "a.zip", {"a": b"1"}, spoil=inflate)
    with Archive(path) as archive, pytest.raises(DataError, match="'a': too large for"):
        archive.read("a")


def test_absurd_size_of_the_archive_is_refused(tmp_path: Path) -> None:
    def inflate(member: zipfile.ZipInfo) -> None:
        member.file_size = MAX_TOTAL_BYTES + 1

    path = write_zip(tmp_path / "a.zip", {"a": b"1"}, spoil=inflate)
    with pytest.raises(
        DataError, match=r"a\.zip: would unpack to 50,000,000,001 bytes"
    ):
        Archive(path)


def test_size_in_the_archive_counts_as_well(tmp_path: Path) -> None:
    def inflate(member: zipfile.ZipInfo) -> None:
        member.compress_size = MAX_IMAGE_BYTES + 1

    path = write_zip(tmp_path / "a.zip", {"a": b"1"}, spoil=inflate)
    data = path.read_bytes()
    hole = data.index(b"PK\1\2")  # as large as the member claims to be
    with path.open("wb") as file:
        file.write(data[:hole])
        file.seek(MAX_IMAGE_BYTES, 1)
        place = file.tell()
        file.write(data[hole:-6] + struct.pack("<IH", place, 0))
    with Archive(path) as archive, pytest.raises(DataError, match="got 33,554,433 byt"):
        archive.read("a")


def test_member_larger_than_it_says_is_not_unpacked(tmp_path: Path) -> None:
    def lie(member: zipfile.ZipInfo) -> None:
        member.file_size = 10**6

    path = write_zip(tmp_path / "a.zip", {"a": bytes(10**8)}, spoil=lie)
    with Archive(path) as archive:
        tracemalloc.start()
        with pytest.raises(DataError, match="'a': damaged in the archive, got Bad CRC"):
            archive.read("a")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 10**7


def zip_of_a_huge_directory(path: Path, end: bytes) -> Path:
    """Write a zip that is nearly all holes; `end` is what comes after its directory."""
    with path.open("wb") as file:
        file.truncate(MAX_DIRECTORY_BYTES + 1)
        file.seek(0, 2)
        file.write(end)
    return path


HUGE = MAX_DIRECTORY_BYTES + 1
END = struct.Struct("<4s8sIIH")  # disks and numbers in one; size, place, comment


@pytest.mark.parametrize(
    "end",
    [
        END.pack(b"PK\5\6", bytes(8), HUGE, 0, 0),
        END.pack(b"PK\5\6", b"PK\5\6" * 2, HUGE, 0, 0),  # in the fields of the disk
        END.pack(b"PK\5\6", bytes(8), HUGE, 0, 9) + b"a comment",
        b"PK\5\6" + END.pack(b"PK\5\6", bytes(8), HUGE + 4, 0, 0),
        struct.pack("<4sQ28xQQ", b"PK\6\6", 44, HUGE, 0)
        + struct.pack("<4sIQI", b"PK\6\7", 0, HUGE, 1)
        + END.pack(b"PK\5\6", b"PK\5\6" * 2, 2**32 - 1, 2**32 - 1, 0),
    ],
    ids=["plain", "false end within", "comment", "false end before", "large"],
)
def test_huge_directory_is_refused_unread(tmp_path: Path, end: bytes) -> None:
    path = zip_of_a_huge_directory(tmp_path / "a.zip", end)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"a\.zip: has a directory of 104,857,60\d byt"):
        Archive(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10**6


def test_small_record_in_the_comment_of_a_large_one(tmp_path: Path) -> None:
    """Python's zipfile goes by the last of the two, and so does the limit."""
    small = END.pack(b"PK\5\6", bytes(8), 0, 0, 0)
    end = END.pack(b"PK\5\6", bytes(8), HUGE, 0, len(small)) + small
    with Archive(zip_of_a_huge_directory(tmp_path / "a.zip", end)) as archive:
        assert archive.names == ()


def read_all(path: Path) -> tuple[list[bytes], list[DataError]]:
    """Return what can be read of a zip, and the errors of the rest."""
    blobs, errors = [], []
    try:
        with Archive(path) as archive:
            for name in archive.names:
                try:
                    blobs.append(archive.read(name))
                except DataError as error:
                    errors.append(error)
    except DataError as error:
        errors.append(error)
    return blobs, errors


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damage_is_refused_or_leaves_images_whole(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    members = market_members()
    path = write_zip(tmp_path_factory.mktemp("damaged") / "a.zip", members)
    data = bytearray(path.read_bytes())
    # Half of the damage goes to the directory at the end, where names and sizes are.
    low = rng.choice([0, len(data) - 1500])
    for position in rng.integers(low, len(data), 20):
        data[position] = rng.integers(256)
    path.write_bytes(data)
    blobs, errors = read_all(path)
    assert blobs or errors
    assert {*blobs} <= {*members.values()}
    assert all(len(error.faults) == 1 for error in errors)
