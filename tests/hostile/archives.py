"""Zips and folders that must be refused."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

from crosscam.data.archive import (
    MAX_DIRECTORY_BYTES,
    MAX_IMAGE_BYTES,
    MAX_TOTAL_BYTES,
)
from tests.hostile.case import cases
from tests.hostile.workspace import ARCHIVE
from tests.zips import add_member, jpeg, market_members, write_folder, write_zip

TOP = "Market"
ESCAPE = "/crosscam-escape"  # no such folder anywhere
IMAGE = f"{TOP}/query/0003_c1s1_000301_01.jpg"


def with_member(folder: Path, name: str, mode: int = stat.S_IFREG) -> None:
    """Add a member to the zip."""
    add_member(folder / ARCHIVE, name, jpeg(99), mode)


def rewritten(folder: Path, old: bytes, new: bytes, times: int) -> None:
    """Replace bytes of the zip that occur in it so many times."""
    data = (folder / ARCHIVE).read_bytes()
    assert data.count(old) == times
    (folder / ARCHIVE).write_bytes(data.replace(old, new))


def lying(folder: Path, **fields: int) -> None:
    """Write a zip whose directory says something else of its first member."""

    def lie(member: zipfile.ZipInfo) -> None:
        for name, value in fields.items():
            setattr(member, name, value)

    write_zip(folder / ARCHIVE, market_members(TOP), spoil=lie)


def unpacked(folder: Path) -> Path:
    """Put the dataset in a folder, name it in params.yaml, and return it."""
    path = folder / "data/own/raw/mine"
    write_folder(path, market_members(""))
    params = (folder / "params.yaml").read_text().replace(ARCHIVE, "data/own/raw/mine")
    (folder / "params.yaml").write_text(params)
    return path


# Paths


def climbing_path(folder: Path) -> None:
    """A member that climbs out of the archive."""
    with_member(folder, "../canary/untouched.txt")


def climbing_path_in_the_middle(folder: Path) -> None:
    """A member that enters an image folder and climbs out of the archive from there."""
    with_member(folder, f"{TOP}/query/../../../canary/evil.jpg")


def climbing_folder(folder: Path) -> None:
    """An empty folder that lies outside the archive."""
    with_member(folder, "../canary/up/")


def absolute_path(folder: Path) -> None:
    """A member with an absolute path."""
    with_member(folder, f"{ESCAPE}/evil.jpg")


def path_with_a_drive(folder: Path) -> None:
    """A member with a drive of Windows and backslashes."""
    with_member(folder, "C:\\evil.jpg")


def path_on_a_server(folder: Path) -> None:
    """A member with the path of a Windows server."""
    with_member(folder, "\\\\server\\share\\evil.jpg")


# Kinds of members


def symbolic_link(folder: Path) -> None:
    """A link to a file of the system."""
    add_member(folder / ARCHIVE, IMAGE, b"/etc/passwd", stat.S_IFLNK)


def file_behind_a_link(folder: Path) -> None:
    """A link to the folder above, and a member whose path leads through it."""
    add_member(folder / ARCHIVE, "extra/up", b"..", stat.S_IFLNK)
    with_member(folder, "extra/up/evil.jpg")


def device(folder: Path) -> None:
    """A member that would be unpacked as a device."""
    with_member(folder, IMAGE, stat.S_IFCHR)


def pipe_in_the_zip(folder: Path) -> None:
    """A member that would be unpacked as a named pipe."""
    with_member(folder, IMAGE, stat.S_IFIFO)


def encrypted_member(folder: Path) -> None:
    """A member that needs a password."""
    lying(folder, flag_bits=1)


def other_compression(folder: Path) -> None:
    """A zip compressed by bzip2."""
    path = folder / ARCHIVE
    with zipfile.ZipFile(path, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(IMAGE, jpeg(1))


# Names


def duplicate_member(folder: Path) -> None:
    """Two members of one name and different contents."""
    with_member(folder, next(iter(market_members(TOP))))


def duplicate_in_another_spelling(folder: Path) -> None:
    """The same path twice, once with backslashes and a dot."""
    with_member(folder, ".\\" + next(iter(market_members(TOP))).replace("/", "\\"))


def case_clash(folder: Path) -> None:
    """Two names that differ in upper and lower case alone."""
    with_member(folder, next(iter(market_members(TOP))).replace(".jpg", ".JPG"))


def accents_in_two_ways(folder: Path) -> None:
    """Two names that look the same, one accent being a letter of its own."""
    with_member(folder, "extra/\N{LATIN SMALL LETTER E WITH ACUTE}cole.txt")
    with_member(folder, "extra/e\N{COMBINING ACUTE ACCENT}cole.txt")


def file_and_folder_of_one_name(folder: Path) -> None:
    """A file that another member needs as a folder."""
    with_member(folder, "extra/notes")
    with_member(folder, "extra/notes/more.txt")


def overlong_name(folder: Path) -> None:
    """A name of 60,000 characters, as no file system takes it."""
    with_member(folder, f"{TOP}/query/{'long' * 15_000}.jpg")


def path_through_many_folders(folder: Path) -> None:
    """A path of 65,535 bytes, through a folder for every other of them."""
    with_member(folder, f"{'a/' * 32_765}a.jpg")


def name_not_in_utf8(folder: Path) -> None:
    """A name that claims to be in UTF-8 and is not."""
    with_member(folder, "extra/\N{LATIN SMALL LETTER E WITH ACUTE}.txt")
    rewritten(folder, b"extra/\xc3\xa9.txt", b"extra/\xc3\xff.txt", 2)


def name_with_a_zero_byte(folder: Path) -> None:
    """A name whose end is hidden behind a zero byte."""
    with_member(folder, "extra/0.txt.exe")
    rewritten(folder, b"extra/0.txt.exe", b"extra/0.txt\0exe", 2)


def name_with_control_characters(folder: Path) -> None:
    """A name that would clear the terminal and break a line of index.csv."""
    with_member(folder, f"{TOP}/\x1b[2J\r/query/0003_c1s1_000301_01.jpg")


def name_without_characters(folder: Path) -> None:
    """A member without a name."""
    with_member(folder, "0")
    path = folder / ARCHIVE
    data = path.read_bytes()
    # The name is taken out of the directory; the member's own header has it still.
    at = data.rindex(b"PK\x01\x02")
    entry = data[at : at + 28] + b"\0\0" + data[at + 30 : at + 46]
    end = struct.unpack("<IHHHHIIH", data[at + 47 :][:22])
    last = struct.pack("<IHHHHIIH", *end[:5], end[5] - 1, *end[6:])
    path.write_bytes(data[:at] + entry + last)


# Bombs


def bomb_by_ratio(folder: Path) -> None:
    """An image of zeros that unpacks to 500 times its size."""
    write_zip(folder / ARCHIVE, market_members(TOP) | {IMAGE: bytes(10**6)})


def bomb_of_one_member(folder: Path) -> None:
    """A member that claims to unpack to more than an image can have."""
    lying(folder, file_size=MAX_IMAGE_BYTES + 1)


def bomb_of_all_members(folder: Path) -> None:
    """A zip that claims to unpack to 50 GB."""
    lying(folder, file_size=MAX_TOTAL_BYTES)


def bomb_of_overlapping_members(folder: Path) -> None:
    """A thousand members that share the bytes of one."""
    path = folder / ARCHIVE
    write_zip(path, {IMAGE: jpeg(1)})
    with zipfile.ZipFile(path, "a") as archive:
        (first,) = archive.infolist()
        for number in range(1000):
            name = f"{TOP}/query/0003_c1s1_{number:06d}_02.jpg"
            member = zipfile.ZipInfo(name)
            member.CRC, member.header_offset = first.CRC, first.header_offset
            member.file_size = first.file_size
            member.compress_size = first.compress_size
            member.compress_type = first.compress_type
            archive.filelist.append(member)
        archive._didModify = True


def bomb_in_a_bomb(folder: Path) -> None:
    """A zip of zeros that is called an image."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10**7))
    write_zip(folder / ARCHIVE, market_members(TOP) | {IMAGE: buffer.getvalue()})


def bomb_of_names(folder: Path, disks: bytes = bytes(4)) -> None:
    """A zip, nearly all holes, whose directory would fill the memory."""
    size = MAX_DIRECTORY_BYTES + 1
    with (folder / ARCHIVE).open("wb") as file:
        file.truncate(size)  # takes no room on the disk
        file.seek(size)
        file.write(struct.pack("<4s4sHHIIH", b"PK\5\6", disks, 1, 1, size, 0, 0))


def bomb_of_names_with_two_ends(folder: Path) -> None:
    """The same, with the signature of a zip's end within its end."""
    bomb_of_names(folder, b"PK\5\6")


def member_larger_than_it_says(folder: Path) -> None:
    """A member whose directory entry tells a tenth of its size."""
    lying(folder, file_size=60)


# Damage


def wrong_checksum(folder: Path) -> None:
    """A member whose bytes are not those that its checksum was made of."""
    lying(folder, CRC=1)


def damaged_deflate_stream(folder: Path) -> None:
    """A member whose compressed bytes mean nothing."""
    path = folder / ARCHIVE
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
    data = bytearray(path.read_bytes())
    start = first.header_offset + 30 + len(first.filename)
    data[start : start + 100] = b"\xff" * 100
    path.write_bytes(data)


def two_names_for_one_member(folder: Path) -> None:
    """A member called otherwise in the directory than where it lies."""
    name = next(iter(market_members(TOP))).encode()
    path = folder / ARCHIVE
    path.write_bytes(path.read_bytes().replace(name, name.replace(b"0002", b"0007"), 1))


def cut_short(folder: Path) -> None:
    """A download that broke off."""
    path = folder / ARCHIVE
    path.write_bytes(path.read_bytes()[:-2000])


def cut_at_the_front(folder: Path) -> None:
    """A zip without its first half, whose directory is whole."""
    path = folder / ARCHIVE
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 2 :])


# No zip at all


def no_archive(folder: Path) -> None:
    """Nothing where the zip should be."""
    (folder / ARCHIVE).unlink()


def empty_file(folder: Path) -> None:
    """A file without a byte."""
    (folder / ARCHIVE).write_bytes(b"")


def web_page(folder: Path) -> None:
    """The page of a download that asked for a login."""
    (folder / ARCHIVE).write_text("<!doctype html><title>Sign in</title>")


def pipe_for_an_archive(folder: Path) -> None:
    """A named pipe where the zip should be: opening it would wait for ever."""
    (folder / ARCHIVE).unlink()
    os.mkfifo(folder / ARCHIVE)


def links_in_a_circle(folder: Path) -> None:
    """A link to itself where the zip should be."""
    (folder / ARCHIVE).unlink()
    (folder / ARCHIVE).symlink_to("a.zip")


# Folders


def folder_with_a_link_out(folder: Path) -> None:
    """A folder with a link to a file of the system."""
    (unpacked(folder) / "query/0003_c1s1_000301_01.jpg").symlink_to("/etc/passwd")


def folder_with_a_pipe(folder: Path) -> None:
    """A folder with a named pipe: reading it would wait for ever."""
    os.mkfifo(unpacked(folder) / "query/0003_c1s1_000301_01.jpg")


def folder_with_a_name_of_bytes(folder: Path) -> None:
    """A folder with a file whose name is not in UTF-8."""
    path = os.fsencode(unpacked(folder) / "query/0003_c1s1_000301_01")
    with open(path + b"\xff.jpg", "wb"):  # noqa: PTH123 (a path of bytes)
        pass


def folder_with_a_line_break(folder: Path) -> None:
    """A folder with a file whose name would break a line of index.csv."""
    (unpacked(folder) / "query/0003_c1s1\r_000301_01.jpg").write_bytes(jpeg(1))


def folder_with_a_long_path(folder: Path) -> None:
    """A folder with folders in one another, further than file systems go."""
    path = unpacked(folder)
    for _ in range(6):
        path /= "folder" * 40
        path.mkdir()


def folder_with_a_case_clash(folder: Path) -> None:
    """A folder with two names that differ in upper and lower case alone."""
    path = unpacked(folder)
    name = next(iter(market_members("")))
    (path / name.replace(".jpg", ".JPG")).write_bytes(jpeg(1))


CASES = cases(
    "archives",
    "stages.unzip",
    climbing_path,
    climbing_path_in_the_middle,
    climbing_folder,
    absolute_path,
    path_with_a_drive,
    path_on_a_server,
    symbolic_link,
    file_behind_a_link,
    device,
    pipe_in_the_zip,
    encrypted_member,
    other_compression,
    duplicate_member,
    duplicate_in_another_spelling,
    case_clash,
    accents_in_two_ways,
    file_and_folder_of_one_name,
    overlong_name,
    path_through_many_folders,
    name_not_in_utf8,
    name_with_a_zero_byte,
    name_with_control_characters,
    name_without_characters,
    bomb_by_ratio,
    bomb_of_one_member,
    bomb_of_all_members,
    bomb_of_overlapping_members,
    bomb_in_a_bomb,
    bomb_of_names,
    bomb_of_names_with_two_ends,
    member_larger_than_it_says,
    wrong_checksum,
    damaged_deflate_stream,
    two_names_for_one_member,
    cut_short,
    cut_at_the_front,
    no_archive,
    empty_file,
    web_page,
    pipe_for_an_archive,
    links_in_a_circle,
    folder_with_a_link_out,
    folder_with_a_pipe,
    folder_with_a_name_of_bytes,
    folder_with_a_line_break,
    folder_with_a_long_path,
    folder_with_a_case_clash,
)
