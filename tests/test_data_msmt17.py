from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.faults import DataError
from crosscam.data.msmt17 import (
    HALVES,
    PUBLISHED,
    fits,
    image_name,
    list_of,
    pid_of,
)
from crosscam.data.naming import ImageName


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0000_000_01_0303morning_0015_0.jpg", ImageName(7, 0, 3030, 15)),
        ("0000_046_12_0303noon_0006_2_ex.jpg", ImageName(7, 11, 3031, 6)),
        ("3059_000_15_0114afternoon_1591_0.JPEG", ImageName(7, 14, 1142, 1591)),
        ("x/0000_000_16_1231noon_0_0.jpg", ImageName(7, 15, 12311, 0)),
    ],
)
def test_names_by_hand(name: str, expected: ImageName) -> None:
    assert fits(name)
    assert image_name(name, 7) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0000_000_01_0303morning_0015_0",
        "0000_000_01_0303morning_0015_0.png",
        "0000_000_01_0303morning_0015.jpg",
        "0000_000_01_0303night_0015_0.jpg",
        "0000_000_01_303morning_0015_0.jpg",
        "0000_000_0303morning_0015_0.jpg",
        "0000_000_01_0303morning_0015_0_ey.jpg",
        "0000_000_1000000000_0303morning_0015_0.jpg",
        "0002_c1s1_000451_03.jpg",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    assert not fits(name)
    message = f"^{re.escape(repr(name))}: not an MSMT17 image name: expected one like"
    with pytest.raises(DataError, match=message):
        image_name(name, 7)


def test_cameras_count_from_one() -> None:
    with pytest.raises(DataError, match="camera number is 0: cameras count from 1"):
        image_name("0000_000_00_0303morning_0015_0.jpg", 7)


def test_lists_are_known_by_name() -> None:
    names = ["list_val.txt", "a/list_query.txt", "list.txt", "list_val.txt/a"]
    assert [list_of(name) for name in names] == ["val", "query", None, None]


def test_pids_by_hand() -> None:
    assert [pid_of(0, subset) for subset in HALVES] == [1, 1, 10_001, 10_001]
    assert [pid_of(1040, "train"), pid_of(3059, "gallery")] == [1041, 13_060]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9_999), st.integers(0, 10**9 - 1))
def test_people_of_the_two_halves_are_different(train: int, test: int) -> None:
    assert 0 < pid_of(train, "val") == pid_of(train, "train") < pid_of(test, "query")


def test_label_that_would_be_one_of_the_test_half_is_refused() -> None:
    assert pid_of(9_999, "train") < pid_of(0, "query")
    with pytest.raises(DataError, match=r"must be below 10,000, got 10,000: number"):
        pid_of(10_000, "val")


def test_published_counts_make_126_441_images() -> None:
    assert sum(counts.images for counts in PUBLISHED.values()) == 126_441
