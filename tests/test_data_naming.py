from __future__ import annotations

import re

import pytest

from crosscam.data.faults import DataError
from crosscam.data.naming import ImageName, Naming, camid_of

NAMING = Naming(
    "Toy", "p1c1f1", re.compile(r"p(?P<pid>\d)c(?P<camera>\d)f(?P<frame>\d)")
)


def test_folders_do_not_count() -> None:
    assert NAMING.fits("p1c1f1/p2c3f4")
    assert not NAMING.fits("p2c3f4/p1")
    assert NAMING.parse("p1c1f1/p2c3f4") == ImageName(2, 2, -1, 4)


def test_other_names_are_told_with_the_example() -> None:
    told = r"'a/b': not a Toy image name: .* pattern of p1c1f1"
    with pytest.raises(DataError, match=told):
        NAMING.parse("a/b")


def test_cameras_count_from_one() -> None:
    assert camid_of("015", "it") == 14
    with pytest.raises(DataError, match="'it': camera number is 0"):
        camid_of("00", "it")
