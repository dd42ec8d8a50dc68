from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crosscam.data.archive import Archive
from crosscam.data.faults import DataError
from crosscam.data.layout import recognise
from crosscam.data.packed import INDEX_COLUMNS
from crosscam.data.packing import decoded_size, scan
from tests.zips import jpeg, market_members, pack, write_zip


def test_rows_by_hand(tmp_path: Path) -> None:
    # the SHA-256 of these three begin with 85, f3 and d4 in this order
    blobs = [jpeg(0), jpeg(1), jpeg(2)]
    members = {
        "bounding_box_train/0007_c2s3_000045_01.jpg": blobs[0],
        "query/0001_c1s1_000001_01.jpg": blobs[1],
        "bounding_box_test/0001_c3s1_000002_01.jpg": blobs[2],
    }
    table = pack(tmp_path, members)
    order = sorted(members, key=lambda name: hashlib.sha256(members[name]).hexdigest())
    assert table["member"].tolist() == order
    assert (tmp_path / "images.bin").read_bytes() == b"".join(map(members.get, order))
    row = table.set_index("member").loc["bounding_box_train/0007_c2s3_000045_01.jpg"]
    assert row[["subset", "pid", "camid", "sequence", "frame"]].tolist() == [
        "train", 7, 1, 3, 45,
    ]  # fmt: skip
    assert row[["size", "width", "height"]].tolist() == [len(blobs[0]), 8, 16]
    assert row["sha256"] == hashlib.sha256(blobs[0]).hexdigest()


def test_equal_images_are_stored_once(tmp_path: Path) -> None:
    members = market_members()
    first, second, *_ = members
    members[second] = members[first]
    table = pack(tmp_path, members).set_index("member")
    assert table["offset"][first] == table["offset"][second]
    assert (tmp_path / "images.bin").stat().st_size == sum(
        map(len, {*members.values()})
    )


def test_order_of_members_does_not_matter(tmp_path: Path) -> None:
    members = market_members()
    pack(tmp_path, members)
    first = [(tmp_path / name).read_bytes() for name in ("images.bin", "index.csv")]
    pack(tmp_path, dict(reversed(members.items())))
    second = [(tmp_path / name).read_bytes() for name in ("images.bin", "index.csv")]
    assert first == second


def test_scan_of_nothing_is_an_empty_table(tmp_path: Path) -> None:
    with Archive(write_zip(tmp_path / "a.zip", {})) as archive:
        table, faults = scan(archive, ())
    assert list(table.columns) == list(INDEX_COLUMNS)
    assert (len(table), faults) == (0, ())


def test_every_unreadable_image_is_named(tmp_path: Path) -> None:
    members = market_members()
    first, second, third, *rest = members
    members |= {first: b"text", second: members[second][:-50], third: bytes(2**16)}
    with Archive(write_zip(tmp_path / "a.zip", members)) as archive:
        table, faults = scan(archive, recognise(archive.names, archive.read).images)
    assert sorted(table["member"]) == sorted(rest)
    assert [fault.split("'")[1] for fault in faults] == sorted([first, second, third])
    for words in ("not a JPEG or PNG image", "cannot be decoded, got ", "unpacks "):
        assert sum(f"': {words}" in fault for fault in faults) == 1


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def broken_png() -> bytes:
    data = bytearray(encoded(Image.new("RGB", (4, 4)), "PNG"))
    data[20] ^= 1  # a byte of the header, which then differs from its checksum
    return bytes(data)


def png_of(width: int, height: int) -> bytes:
    """Return the beginning of a PNG that claims a size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 99) + b"IDAT"


def test_size_is_width_and_height() -> None:
    assert decoded_size(jpeg(0), "it") == (8, 16)
    assert decoded_size(encoded(Image.new("L", (5, 7)), "PNG"), "it") == (5, 7)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"text",
        jpeg(0)[:-50],
        encoded(Image.new("RGB", (4, 4)), "GIF"),
        encoded(Image.new("RGB", (4, 4)), "PNG")[:-30],
        broken_png(),
        png_of(8, 16),
    ],
)
def test_what_cannot_be_decoded_is_refused(blob: bytes) -> None:
    with pytest.raises(
        DataError,
        match=r"^it: (not a JPEG or PNG image|cannot be decoded, got [^<]+): replace",
    ):
        decoded_size(blob, "it")


@pytest.mark.parametrize("side", [6_000, 10_000, 20_000, 10**6])
def test_giant_images_are_refused(side: int) -> None:
    # Pillow warns of more than 89 million pixels and refuses more than twice as many.
    with pytest.raises(DataError, match=f"too large for a person, got {side**2:,}"):
        decoded_size(png_of(side, side), "it")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["JPEG", "PNG"]))
def test_damage_gives_data_errors_and_no_others(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
    data = bytearray(encoded(Image.fromarray(pixels), kind))
    for position in rng.integers(0, len(data), 10):
        data[position] = rng.integers(256)
    try:
        outcome = f"{min(decoded_size(bytes(data), 'it')) > 0}"
    except DataError as error:
        outcome = str(error)[-47:]
    assert outcome in {"True", "replace the image or take it out of the archive"}
