from __future__ import annotations

import pandas as pd
import pytest

from crosscam.data.archive import Digests
from crosscam.data.listing import Listing
from crosscam.data.pids import Counts
from crosscam.data.published import OFFICIAL_MD5S, summary

INDEX = pd.DataFrame(
    [
        ("train", 1, 0),
        ("train", 1, 1),
        ("val", 1, 2),
        ("val", 2, 0),
        ("query", 10_001, 0),
        ("gallery", 10_001, 1),
    ],
    columns=["subset", "pid", "camid"],
)
BOTH = Counts(4, 2, 3, 0, 0)
ONE = Counts(1, 1, 1, 0, 0)


def listing(published: dict[str, Counts] | None) -> Listing:
    return Listing("toy", published, (), {"readme": 1}, ())


def test_summary_by_hand() -> None:
    published = {"train+val": BOTH, "query": ONE, "gallery": ONE}
    report = summary(listing(published), INDEX, Digests("12", "34"))
    counts = {
        "train": Counts(2, 1, 2, 0, 0),
        "val": Counts(2, 2, 2, 0, 0),
        **published,
    }
    assert report == {
        "sha256": "12",
        "md5": "34",
        "known": None,
        "layout": "toy",
        "counts": {name: of._asdict() for name, of in counts.items()},
        "published": {name: of._asdict() for name, of in published.items()},
        "compared": ["gallery", "query", "train+val"],
        "agrees": True,
        "ignored": {"readme": 1},
    }


@pytest.mark.parametrize("subset", ["train+val", "query", "gallery", "train"])
def test_any_other_count_does_not_agree(subset: str) -> None:
    published = {"train+val": BOTH, "query": ONE, "gallery": ONE}
    published[subset] = ONE._replace(images=9)
    assert summary(listing(published), INDEX, Digests("", ""))["agrees"] is False


def test_nothing_published_is_nothing_to_agree_with() -> None:
    report = summary(listing(None), INDEX, Digests("", ""))
    assert (report["published"], report["compared"], report["agrees"]) == (
        None, [], None,
    )  # fmt: skip
    assert sorted(report["counts"]) == ["gallery", "query", "train", "val"]


@pytest.mark.parametrize("md5", OFFICIAL_MD5S)
def test_known_archives_are_told_by_name(md5: str) -> None:
    report = summary(listing(None), INDEX, Digests("", md5))
    assert report["known"] == OFFICIAL_MD5S[md5]
    assert report["known"] in {"Market-1501-v15.09.15.zip", "DukeMTMC-reID.zip"}
