from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.layout import recognise
from crosscam.data.market1501 import FOLDERS, PUBLISHED, ImageName
from tests.zips import TOP, market_members

WHOLE = tuple(market_members())


@pytest.mark.parametrize("top", ["", TOP, "a/b c/Märket", "query", "bounding_box_test"])
def test_top_folder_may_be_anything(top: str) -> None:
    listing = recognise(tuple(market_members(top)))
    assert listing.faults == ()
    assert listing.layout == "market1501"
    assert listing.published == PUBLISHED
    assert [image.member for image in listing.images] == sorted(market_members(top))


def test_subset_and_name_are_told() -> None:
    images = {image.member: image for image in recognise(WHOLE).images}
    image = images[f"{TOP}/bounding_box_train/0007_c2s1_000725_01.jpg"]
    assert (image.subset, image.name) == ("train", ImageName(7, 1, 1, 725))
    assert images[f"{TOP}/bounding_box_test/-1_c1s1_000001_01.jpg.jpg"].name.pid == -1
    subsets = [image.subset for image in images.values()]
    assert [subsets.count(name) for name in FOLDERS.values()] == [12, 4, 6]


def test_synthetic_dataset_has_no_published_counts() -> None:
    listing = recognise(tuple(market_members("synthetic")))
    assert (listing.layout, listing.published) == ("synthetic", None)


def test_other_members_are_counted_by_kind() -> None:
    others = [
        f"__MACOSX/{TOP}/query/._0003_c1s1_000300_01.jpg",
        f"{TOP}/query/._0003_c1s1_000300_01.jpg",
        f"{TOP}/query/.DS_Store",
        f"{TOP}/query/Thumbs.db",
        f"{TOP}/gt_bbox/0003_c1s1_000300_01.jpg",
        f"{TOP}/gt_query/0003_c1s1_000300_01_good.mat",
        f"{TOP}/readme.txt",
        f"{TOP}/notes.pdf",
        "LICENSE",
    ]
    listing = recognise((*WHOLE, *others))
    assert listing.faults == ()
    assert len(listing.images) == len(WHOLE)
    assert listing.ignored == {
        ".DS_Store": 1,
        "Thumbs.db": 1,
        "gt_bbox": 1,
        "gt_query": 1,
        "macOS metadata": 2,
        "other": 2,
        "readme": 1,
    }


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_members_does_not_matter(seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(WHOLE).tolist()
    assert recognise(shuffled) == recognise(WHOLE)


@pytest.mark.parametrize("folder", FOLDERS)
def test_empty_subset_is_a_fault(folder: str) -> None:
    names = [name for name in WHOLE if f"/{folder}/" not in name]
    message = (
        f"{FOLDERS[folder]}: no image under {folder}/: the archive is not complete"
    )
    assert recognise(names).faults == (message,)


def test_every_wrong_name_is_a_fault() -> None:
    names = (*WHOLE, f"{TOP}/query/notes.txt", f"{TOP}/query/0001_c0s1_000001_01.jpg")
    first, second = recognise(names).faults
    assert first.startswith(
        f"'{TOP}/query/0001_c0s1_000001_01.jpg': camera number is 0"
    )
    assert second.startswith(f"'{TOP}/query/notes.txt': not a Market-1501 image name")


def test_image_in_a_deeper_folder_is_a_fault() -> None:
    name = f"{TOP}/query/more/0001_c1s1_000001_01.jpg"
    (fault,) = recognise((*WHOLE, name)).faults
    assert fault == f"{name!r}: below the image folder: move it up into it"


def test_two_datasets_are_a_fault() -> None:
    (fault,) = recognise((*WHOLE, *market_members("other"))).faults
    assert fault.startswith("image folders lie under 2 top folders, got ['Market-15")


@pytest.mark.parametrize("names", [(), ("a/b.jpg", "c.txt"), ("/",), ("MSMT17_V1/x",)])
def test_unknown_layout_is_a_fault(names: tuple[str, ...]) -> None:
    listing = recognise(names)
    assert (listing.layout, listing.images) == ("unknown", ())
    assert "not a dataset of a known layout, got [" in listing.faults[0]
    assert "expected the folders ['bounding_box_train', " in listing.faults[0]


def test_other_naming_is_told_first() -> None:
    names = [f"Duke/{folder}/0005_c2_f0046985.jpg" for folder in FOLDERS]
    first, *others = recognise(names).faults
    assert first.startswith("none of 3 files in image folders is named as in Market-1")
    assert len(others) == 3
