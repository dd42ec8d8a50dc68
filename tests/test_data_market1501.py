from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.faults import DataError
from crosscam.data.market1501 import NAMING, PUBLISHED
from crosscam.data.naming import ImageName
from tests.zips import market_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0002_c1s1_000451_03.jpg", ImageName(2, 0, 1, 451)),
        ("-1_c6s3_094992_04.jpg", ImageName(-1, 5, 3, 94992)),
        ("0000_c1s6_023071_04.jpg.jpg", ImageName(0, 0, 6, 23071)),
        ("a/0009_c1s1_000001_01.jpg/0003_c2s1_000005_01.jpeg", ImageName(3, 1, 1, 5)),
        ("1501_c12s10_1000000_100.PNG", ImageName(1501, 11, 10, 1000000)),
    ],
)
def test_names_by_hand(name: str, expected: ImageName) -> None:
    assert NAMING.parse(name) == expected


NUMBER = st.integers(0, 10**9 - 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(-1, 10**9 - 1), NUMBER, NUMBER, NUMBER, NUMBER)
def test_names_round_trip(
    pid: int, camid: int, sequence: int, frame: int, box: int
) -> None:
    name = market_name(pid, camid, sequence=sequence, frame=frame, box=box)
    assert NAMING.parse(name) == ImageName(pid, camid, sequence, frame)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0002_c1s1_000451_03",
        "0002_c1s1_000451_03.gif",
        "0002_c1s1_000451_03.jpg\n",
        "0002_c1s1_000451_03.jpg.exe",
        "-2_c1s1_000451_03.jpg",
        "0002_c-1s1_000451_03.jpg",
        "0002_cs1_000451_03.jpg",
        "0002_c1s1_000451.jpg",
        "x0002_c1s1_000451_03.jpg",
        "٢_c1s1_000451_03.jpg",
        "1000000000_c1s1_000451_03.jpg",
        "0005_c2_f0046985.jpg",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    message = f"^{re.escape(repr(name))}: not a Market-1501 image name: rename it"
    with pytest.raises(DataError, match=message):
        NAMING.parse(name)


def test_cameras_count_from_one() -> None:
    with pytest.raises(DataError, match="camera number is 0: cameras count from 1"):
        NAMING.parse("0002_c0s1_000451_03.jpg")


def test_published_counts_are_those_of_the_readme() -> None:
    # 13,115 good gallery boxes, the rest is junk and distractors
    gallery = PUBLISHED["gallery"]
    assert gallery.images - gallery.junk - gallery.distractors == 13_115
    assert PUBLISHED["train"].identities + gallery.identities == 1501
