from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.dukemtmc import NAMING, PUBLISHED
from crosscam.data.faults import DataError
from crosscam.data.naming import ImageName


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0005_c2_f0046985.jpg", ImageName(5, 1, -1, 46985)),
        ("a/7140_c8_f0226455.jpg", ImageName(7140, 7, -1, 226455)),
        ("-1_c1_f0000000.jpg.JPG", ImageName(-1, 0, -1, 0)),
        ("0000_c12_f1.png", ImageName(0, 11, -1, 1)),
    ],
)
def test_names_by_hand(name: str, expected: ImageName) -> None:
    assert NAMING.parse(name) == expected


NUMBER = st.integers(0, 10**9 - 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(-1, 10**9 - 1), NUMBER, NUMBER)
def test_names_round_trip(pid: int, camid: int, frame: int) -> None:
    name = f"{pid:04d}_c{camid + 1}_f{frame:07d}.jpg" if pid >= 0 else ""
    name = name or f"-1_c{camid + 1}_f{frame:07d}.jpg"
    assert NAMING.parse(name) == ImageName(pid, camid, -1, frame)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0005_c2_f0046985",
        "0005_c2_f0046985.gif",
        "0005_c2_0046985.jpg",
        "0005_c_f0046985.jpg",
        "-2_c2_f0046985.jpg",
        "0005_c2_f1000000000.jpg",
        "0005_c2_f٢.jpg",
        "0002_c1s1_000451_03.jpg",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    message = f"^{re.escape(repr(name))}: not a DukeMTMC-reID image name: rename it"
    with pytest.raises(DataError, match=message):
        NAMING.parse(name)


def test_cameras_count_from_one() -> None:
    with pytest.raises(DataError, match="camera number is 0: cameras count from 1"):
        NAMING.parse("0005_c0_f0046985.jpg")


def test_published_gallery_has_408_people_more_than_the_query() -> None:
    assert PUBLISHED["gallery"].identities - PUBLISHED["query"].identities == 408
