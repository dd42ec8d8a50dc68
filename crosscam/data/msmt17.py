"""MSMT17: its folders and lists, the grammar of its names and its published counts.

Wei et al., Person Transfer GAN to Bridge Domain Gap for Person Re-Identification, CVPR
2018. Version 2 shows the same images with masked faces, in folders of other names.

An image is called ``0000_000_01_0303morning_0015_0.jpg``: person 0, image 0, camera 1,
the morning of 3 March, frame 15, box 0. Some names end in ``_ex.jpg``. The identity is
not taken from the name but from the list that names the image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from crosscam.data.faults import DataError
from crosscam.data.naming import ImageName, camid_of
from crosscam.data.pids import Counts

EXAMPLE = "0000_000_01_0303morning_0015_0.jpg"
LISTS: Mapping[str, str] = {
    "list_train.txt": "train",
    "list_val.txt": "val",
    "list_query.txt": "query",
    "list_gallery.txt": "gallery",
}


class ImageFolder(NamedTuple):
    """An image folder: of which version, and for which of the two halves."""

    layout: str
    half: str


FOLDERS: Mapping[str, ImageFolder] = {
    "train": ImageFolder("msmt17_v1", "train"),
    "test": ImageFolder("msmt17_v1", "test"),
    "mask_train_v2": ImageFolder("msmt17_v2", "train"),
    "mask_test_v2": ImageFolder("msmt17_v2", "test"),
}
HALVES: Mapping[str, str] = {
    "train": "train",
    "val": "train",
    "query": "test",
    "gallery": "test",
}

# Labels count from 0 in both halves, where they stand for different people, and pid 0
# is nobody (see crosscam.data.pids). A round number is easy to take off again.
MAX_TRAIN_LABELS = 10_000  # of 1,041
FIRST_PIDS: Mapping[str, int] = {"train": 1, "test": 1 + MAX_TRAIN_LABELS}

# What its authors state of the two lists of training images is their sum.
PUBLISHED: Mapping[str, Counts] = {
    "train+val": Counts(32_621, 1_041, 15, 0, 0),
    "query": Counts(11_659, 3_060, 15, 0, 0),
    "gallery": Counts(82_161, 3_060, 15, 0, 0),
}

_DAY_PARTS = ("morning", "noon", "afternoon")
_NAME = re.compile(
    r"(?P<person>\d+)_(?P<number>\d+)_(?P<camera>\d{1,9})"
    rf"_(?P<date>\d{{4}})(?P<part>{'|'.join(_DAY_PARTS)})"
    r"_(?P<frame>\d{1,9})_(?P<box>\d+)(?:_ex)?\.jpe?g",
    re.ASCII | re.IGNORECASE,
)


def fits(path: str) -> bool:
    """Return whether a file name follows the grammar; folders do not count."""
    return _NAME.fullmatch(path.rsplit("/", 1)[-1]) is not None


def list_of(path: str) -> str | None:
    """Return the subset whose list a member is, or None."""
    return LISTS.get(path.rsplit("/", 1)[-1])


def image_name(path: str, pid: int) -> ImageName:
    """Return what is said of an image.

    Parameters
    ----------
    path
        A name such as `EXAMPLE`; folders before it are skipped. Its date and the part
        of the day, numbered from 0, make the sequence: 3030 is the morning of 3 March.
    pid
        Its identity, from `pid_of`.

    Raises
    ------
    DataError
        If the name does not follow the grammar or its camera number is 0.
    """
    match = _NAME.fullmatch(path.rsplit("/", 1)[-1])
    if match is None:
        raise DataError(
            f"{path!r}: not an MSMT17 image name: expected one like {EXAMPLE}, get the"
            " archive again"
        )
    part = _DAY_PARTS.index(match["part"].lower())
    return ImageName(
        pid=pid,
        camid=camid_of(match["camera"], path),
        sequence=10 * int(match["date"]) + part,
        frame=int(match["frame"]),
    )


def pid_of(label: int, subset: str) -> int:
    """Return the identity that a label of a subset's list stands for.

    Raises
    ------
    DataError
        If it is a training label so large that it would stand for somebody of the test
        half.
    """
    half = HALVES[subset]
    if half == "train" and label >= MAX_TRAIN_LABELS:
        raise DataError(
            f"label of a training image must be below {MAX_TRAIN_LABELS:,}, got"
            f" {label:,}: number the people from 0"
        )
    return FIRST_PIDS[half] + label
