"""Market-1501: the grammar of its file names and its published counts.

Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015, and the readme
of the archive. An image is called ``0002_c1s1_000451_03.jpg``: identity 2 seen by
camera 1 in sequence 1 at frame 451, third box of that frame. Every camera numbers the
frames of each sequence anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from crosscam.data.faults import DataError
from crosscam.data.pids import Counts

FOLDERS: Mapping[str, str] = {
    "bounding_box_train": "train",
    "query": "query",
    "bounding_box_test": "gallery",
}
UNUSED_FOLDERS = ("gt_bbox", "gt_query")  # hand-drawn boxes; answers per query
EXAMPLE = "0002_c1s1_000451_03.jpg"

OFFICIAL_MD5S: Mapping[str, str] = {
    "65005ab7d12ec1c44de4eeafe813e68a": "Market-1501-v15.09.15.zip",
}

# Some images of the original archive end in .jpg.jpg. Nine digits fit any integer type.
_NAME = re.compile(
    r"(?P<pid>-1|\d{1,9})_c(?P<camera>\d{1,9})s(?P<sequence>\d{1,9})"
    r"_(?P<frame>\d{1,9})_(?P<box>\d{1,9})(?:\.jpg|\.jpeg|\.png)+",
    re.ASCII | re.IGNORECASE,
)


class ImageName(NamedTuple):
    """What the name of an image says.

    Parameters
    ----------
    pid
        Identity, from 1; junk and distractors are none, see `crosscam.data.pids`.
    camid
        Camera, from 0 (names count from 1).
    sequence, frame
        Time of recording; -1 where a dataset's names carry none.
    """

    pid: int
    camid: int
    sequence: int
    frame: int


PUBLISHED: Mapping[str, Counts] = {
    "train": Counts(12_936, 751, 6, 0, 0),
    "query": Counts(3_368, 750, 6, 0, 0),
    "gallery": Counts(19_732, 750, 6, 3_819, 2_798),
}


def parse_name(path: str) -> ImageName:
    """Return what the file name of an image says.

    Parameters
    ----------
    path
        A name such as ``0002_c1s1_000451_03.jpg``; folders before it are skipped.

    Raises
    ------
    DataError
        If the name does not follow the grammar or its camera number is 0.
    """
    match = _NAME.fullmatch(path.rsplit("/", 1)[-1])
    if match is None:
        raise DataError(
            f"{path!r}: not a Market-1501 image name: rename it after the pattern of"
            f" {EXAMPLE} or take it out of the folder"
        )
    if int(match["camera"]) == 0:
        raise DataError(f"{path!r}: camera number is 0: cameras count from 1")
    return ImageName(
        pid=int(match["pid"]),
        camid=int(match["camera"]) - 1,
        sequence=int(match["sequence"]),
        frame=int(match["frame"]),
    )
