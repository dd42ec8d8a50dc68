from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data import dukemtmc, market1501, msmt17
from crosscam.data.layout import recognise
from crosscam.data.listing import Listing
from crosscam.data.msmt17_images import NOT_LISTED
from tests.zips import (
    TOP,
    duke_members,
    mac_members,
    market_members,
    msmt17_members,
)

WHOLE = tuple(market_members())

DATASETS = {
    "market1501": market_members(),
    "dukemtmc": duke_members(),
    "msmt17_v1": msmt17_members("V1"),
    "msmt17_v2": msmt17_members("V2"),
}

PUBLISHED = {
    "market1501": market1501.PUBLISHED,
    "dukemtmc": dukemtmc.PUBLISHED,
    "msmt17": msmt17.PUBLISHED,
}


def recognised(*names: str) -> Listing:
    """Return the listing of files that need not be read."""
    return recognise(names, {}.__getitem__)


def listing_of(members: dict[str, bytes]) -> Listing:
    return recognise([*members], members.__getitem__)


@pytest.mark.parametrize("layout", DATASETS)
def test_layout_is_recognised(layout: str) -> None:
    found = listing_of(DATASETS[layout])
    assert (found.layout, found.faults, found.ignored) == (layout, (), {})
    assert found.published == PUBLISHED[layout.partition("_")[0]]
    members = sorted(n for n in DATASETS[layout] if n.endswith(".jpg"))
    assert [image.member for image in found.images] == members


@pytest.mark.parametrize("layout", DATASETS)
@pytest.mark.parametrize("top", ["", "Re-ID data/MSMT17_V2", "a/b c/Märket", "train"])
def test_top_folder_may_be_anything(layout: str, top: str) -> None:
    members = DATASETS[layout]
    prefix = f"{top}/" if top else ""
    moved = {prefix + name.split("/", 1)[1]: data for name, data in members.items()}
    found = listing_of(moved)
    assert (found.layout, found.faults) == (layout, ())
    assert [(image.subset, image.name) for image in found.images] == [
        (image.subset, image.name) for image in listing_of(members).images
    ]


@pytest.mark.parametrize("top", ["query", "bounding_box_test/query"])
def test_top_folder_may_be_called_as_one_of_the_three(top: str) -> None:
    found = listing_of(market_members(top))
    assert (found.layout, found.faults) == ("market1501", ())
    assert len(found.images) == len(WHOLE)


@pytest.mark.parametrize("layout", DATASETS)
def test_files_of_the_system_are_left_out(layout: str) -> None:
    members = DATASETS[layout]
    added = mac_members(members) | {"a/Thumbs.db": b"", "a/desktop.ini": b""}
    found = listing_of(added)
    assert found.images == listing_of(members).images
    assert (found.layout, found.faults) == (layout, ())
    assert found.ignored == {
        ".DS_Store": 1,
        "Thumbs.db": 1,
        "desktop.ini": 1,
        "macOS metadata": len(members) + 1,
    }


def test_msmt17_as_users_have_it() -> None:
    """A zip of macOS: nested twice, and .jpeg in the lists (IICS, issue 5)."""
    members = {
        name: data.replace(b".jpg", b".jpeg") if name.endswith(".txt") else data
        for name, data in msmt17_members("V2", "MSMT17_V2/MSMT17_V2").items()
    }
    found = listing_of(mac_members(members))
    assert (found.layout, found.faults) == ("msmt17_v2", ())
    assert found.ignored == {".DS_Store": 1, "macOS metadata": len(members) + 1}
    assert len(found.images) == 16


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), layout=st.sampled_from([*DATASETS]))
def test_order_of_members_does_not_matter(seed: int, layout: str) -> None:
    members = mac_members(DATASETS[layout])
    names = np.random.default_rng(seed).permutation([*members]).tolist()
    assert recognise(names, members.__getitem__) == listing_of(members)


def test_two_datasets_are_a_fault() -> None:
    (fault,) = recognised(*WHOLE, *market_members("other")).faults
    assert fault.startswith("image folders lie under 2 top folders, got ['Market-15")


def test_market1501_and_msmt17_are_a_fault() -> None:
    found = listing_of(market_members() | msmt17_members())
    assert (found.layout, found.images) == ("unknown", ())
    (fault,) = found.faults
    assert fault.startswith("holds two datasets, the folders ['bounding_box_train'")
    assert "'MSMT17_V1/test/0000/0000_201_01_0303morning_0017_0.jpg'" in fault


def test_a_list_beside_the_three_folders_is_no_dataset() -> None:
    found = recognised(*WHOLE, f"{TOP}/list_train.txt")
    assert (found.layout, found.ignored, found.faults) == (
        "market1501",
        {"other": 1},
        (),
    )


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("a/b.jpg", "c.txt"),
        ("/",),
        ("MSMT17_V1/x",),
        ("._list_train.txt", "__MACOSX/query/0001_c1s1_000001_01.jpg"),
        ("gt_bbox/query/0001_c1s1_000001_01.jpg",),
    ],
)
def test_unknown_layout_is_a_fault(names: tuple[str, ...]) -> None:
    found = recognised(*names)
    assert (found.layout, found.images) == ("unknown", ())
    (fault,) = found.faults
    assert fault.startswith("not a dataset of a known layout, got [")
    assert "expected the folders ['bounding_box_train', " in fault
    assert "or the lists ['list_train.txt', " in fault


@pytest.mark.parametrize("part", ["/mask_t", ".txt"])
def test_half_of_msmt17_is_not_unknown(part: str) -> None:
    members = {n: d for n, d in msmt17_members("V2").items() if part in n}
    found = listing_of(members)
    assert found.faults
    assert not any("known layout" in fault for fault in found.faults)


def test_images_not_in_any_list_are_counted() -> None:
    members = msmt17_members()
    name = "MSMT17_V1/train/0009/0009_000_01_0303noon_0001_0.jpg"
    assert listing_of(members | {name: b""}).ignored == {NOT_LISTED: 1}
