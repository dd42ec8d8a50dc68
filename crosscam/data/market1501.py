"""Market-1501: its folders, the grammar of its file names and its published counts.

Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015, and the readme
of the archive. An image is called ``0002_c1s1_000451_03.jpg``: identity 2 seen by
camera 1 in sequence 1 at frame 451, third box of that frame. Every camera numbers the
frames of each sequence anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from crosscam.data.naming import Naming
from crosscam.data.pids import Counts

LAYOUT = "market1501"
FOLDERS: Mapping[str, str] = {
    "bounding_box_train": "train",
    "query": "query",
    "bounding_box_test": "gallery",
}
UNUSED_FOLDERS = ("gt_bbox", "gt_query")  # hand-drawn boxes; answers per query

OFFICIAL_MD5S: Mapping[str, str] = {
    "65005ab7d12ec1c44de4eeafe813e68a": "Market-1501-v15.09.15.zip",
}

PUBLISHED: Mapping[str, Counts] = {
    "train": Counts(12_936, 751, 6, 0, 0),
    "query": Counts(3_368, 750, 6, 0, 0),
    "gallery": Counts(19_732, 750, 6, 3_819, 2_798),
}

# Some images of the original archive end in .jpg.jpg. Nine digits fit any integer type.
NAMING = Naming(
    title="Market-1501",
    example="0002_c1s1_000451_03.jpg",
    pattern=re.compile(
        r"(?P<pid>-1|\d{1,9})_c(?P<camera>\d{1,9})s(?P<sequence>\d{1,9})"
        r"_(?P<frame>\d{1,9})_(?P<box>\d{1,9})(?:\.jpg|\.jpeg|\.png)+",
        re.ASCII | re.IGNORECASE,
    ),
)
