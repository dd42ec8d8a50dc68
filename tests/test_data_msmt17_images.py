from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.listing import ImageMember, Listing
from crosscam.data.msmt17 import PUBLISHED
from crosscam.data.msmt17_images import NOT_LISTED, list_images
from crosscam.data.naming import ImageName
from tests.zips import MSMT17_FOLDERS, msmt17_lists, msmt17_members

VERSIONS = [*MSMT17_FOLDERS]


def listing(members: dict[str, bytes]) -> Listing:
    return list_images(sorted(members), members.__getitem__)


def fault(members: dict[str, bytes]) -> str:
    """Return the only fault."""
    (told,) = listing(members).faults
    return told


@pytest.mark.parametrize("version", VERSIONS)
def test_images_by_hand(version: str) -> None:
    found = listing(msmt17_members(version))
    assert (found.layout, found.published) == (f"msmt17_{version.lower()}", PUBLISHED)
    assert (found.ignored, found.faults) == ({}, ())
    train, test = (f"MSMT17_{version}/{half}" for half in MSMT17_FOLDERS[version])
    morning, afternoon = 3030, 1142
    assert found.images[:3] == (
        ImageMember(
            f"{test}/0000/0000_201_01_0303morning_0017_0.jpg",
            "query",
            ImageName(10_001, 0, morning, 17),
        ),
        ImageMember(
            f"{test}/0000/0000_203_03_0114afternoon_0017_0_ex.jpg",
            "query",
            ImageName(10_001, 2, afternoon, 17),
        ),
        ImageMember(
            f"{test}/0000/0000_301_01_0303morning_0018_0.jpg",
            "gallery",
            ImageName(10_001, 0, morning, 18),
        ),
    )
    assert found.images[-1] == ImageMember(
        f"{train}/0001/0001_103_03_0114afternoon_0016_0_ex.jpg",
        "val",
        ImageName(2, 2, afternoon, 16),
    )
    subsets = [image.subset for image in found.images]
    assert {subset: subsets.count(subset) for subset in subsets} == {
        "train": 4, "val": 4, "query": 4, "gallery": 4,
    }  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_each_line_gives_its_image_and_identity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = {
        name: [
            f"{line.split()[0]} {rng.integers(9)}" for line in rng.permutation(lines)
        ]
        for name, lines in msmt17_lists().items()
    }
    found = listing(msmt17_members("V2", "", lists))
    assert found.faults == ()
    said = {(i.subset, i.member.split("/", 2)[2]): i.name.pid for i in found.images}
    assert said == {
        (subset, line.split()[0]): int(line.split()[1]) + first
        for subset, first in {
            "train": 1, "val": 1, "query": 10_001, "gallery": 10_001,
        }.items()
        for line in lists[f"list_{subset}.txt"]
    }  # fmt: skip


@pytest.mark.parametrize("there", [".jpg", ".jpeg"])
@pytest.mark.parametrize("listed", [".jpg", ".jpeg"])
def test_either_spelling_of_the_suffix_will_do(there: str, listed: str) -> None:
    members = {
        name.replace(".jpg", there): data.replace(b".jpg", listed.encode())
        if name.endswith(".txt")
        else data
        for name, data in msmt17_members().items()
    }
    found = listing(members)
    assert found.faults == ()
    assert [i.name for i in found.images] == [
        i.name for i in listing(msmt17_members()).images
    ]


def test_files_that_differ_in_the_suffix_only_are_told_apart() -> None:
    members = msmt17_members()
    name = next(name for name in members if "/test/" in name)
    members[name.replace(".jpg", ".jpeg")] = b""
    found = listing(members)
    assert (found.faults, found.ignored) == ((), {NOT_LISTED: 1})
    assert name in {image.member for image in found.images}


def test_what_no_list_names_is_counted() -> None:
    members = msmt17_members() | {
        "MSMT17_V1/train/0000/0000_009_09_0303noon_0001_0.jpg": b"",
        "MSMT17_V1/train/anything.jpg": b"",
        "MSMT17_V1/test/notes.txt": b"",
        "MSMT17_V1/picture.jpg": b"",
        "readme.md": b"",
    }
    found = listing(members)
    assert found.faults == ()
    assert found.ignored == {NOT_LISTED: 2, "other": 2, "readme": 1}
    assert len(found.images) == 16


def test_empty_list_of_val_is_fine() -> None:
    found = listing(msmt17_members("V1", "", msmt17_lists() | {"list_val.txt": []}))
    assert found.faults == ()
    assert found.ignored == {NOT_LISTED: 4}


def test_listed_image_that_is_not_there_is_a_fault() -> None:
    members = msmt17_members()
    gone = "0001/0001_303_03_0114afternoon_0018_0_ex.jpg"
    del members[f"MSMT17_V1/test/{gone}"]
    assert fault(members) == (
        f"'MSMT17_V1/list_gallery.txt' line 4: no such file under MSMT17_V1/test/, got"
        f" '{gone}': the archive is not complete"
    )


def test_lists_are_relative_to_the_folder_of_their_half() -> None:
    lists = msmt17_lists()
    lists["list_val.txt"], lists["list_query.txt"] = (
        lists["list_query.txt"], lists["list_val.txt"],
    )  # fmt: skip
    found = listing(msmt17_members("V1", "", lists)).faults
    assert len(found) == 8
    assert all("no such file under MSMT17_V1/t" in told for told in found)


@pytest.mark.parametrize(
    ("into", "told"),
    [
        ("train", "'MSMT17_V1/list_train.txt' line 5"),
        ("val", "'MSMT17_V1/list_val.txt' line 1"),
    ],
)
def test_image_that_is_listed_twice_is_a_fault(into: str, told: str) -> None:
    lists = msmt17_lists()
    again = lists["list_train.txt"][1]
    if into == "train":
        lists["list_train.txt"].append(again)
    else:
        lists["list_val.txt"].insert(0, again.replace(".jpg", ".jpeg"))
    message = fault(msmt17_members("V1", "", lists))
    assert message.startswith(f"{told}: names '0000/0000_003_03_")
    assert message.endswith(
        "again, after 'MSMT17_V1/list_train.txt' line 2: keep one line"
    )


def test_names_outside_the_grammar_are_faults() -> None:
    lists = msmt17_lists()
    lists["list_query.txt"] += ["0000/a.jpg 0", "0000/0_0_00_0303noon_1_0.jpg 0"]
    members = msmt17_members("V1", "", lists)
    members["MSMT17_V1/test/0000/a.jpg"] = b""
    members["MSMT17_V1/test/0000/0_0_00_0303noon_1_0.jpg"] = b""
    first, second = listing(members).faults
    assert first.startswith("'MSMT17_V1/test/0000/a.jpg': not an MSMT17 image name")
    assert second.startswith("'MSMT17_V1/test/0000/0_0_00_0303noon_1_0.jpg': camera nu")


def test_labels_of_training_that_are_too_large_are_faults() -> None:
    lists = msmt17_lists()
    lists["list_val.txt"][0] = lists["list_val.txt"][0].replace(" 0", " 10000")
    assert fault(msmt17_members("V1", "", lists)).startswith(
        "'MSMT17_V1/list_val.txt' line 1: label of a training image must be below 10,"
    )


def test_lists_without_image_folders_are_a_fault() -> None:
    texts = {n: t for n, t in msmt17_members().items() if n.endswith(".txt")}
    found = listing(texts)
    assert (found.layout, found.images) == ("unknown", ())
    assert [told.split(": put")[0] for told in found.faults] == [
        "no folder of test images",
        "no folder of train images",
    ]


def test_images_at_the_wrong_depth_are_a_fault() -> None:
    members = {n.replace("/test/", "/"): d for n, d in msmt17_members().items()}
    assert fault(members) == (
        "no folder of test images: put the JPEG files that the lists name below test/"
        " (version 1) or mask_test_v2/ (version 2)"
    )


def test_image_folders_without_lists_are_a_fault() -> None:
    images = {n: t for n, t in msmt17_members().items() if n.endswith(".jpg")}
    assert fault(images).startswith("images of MSMT17 without list_train.txt, list_val")


@pytest.mark.parametrize("twin", ["V1", "V2"])
def test_two_copies_are_a_fault(twin: str) -> None:
    found = listing(msmt17_members() | msmt17_members(twin, "copy")).faults
    assert [told.split(" images, got")[0] for told in found[:2]] == [
        "2 folders of test",
        "2 folders of train",
    ]


@pytest.mark.parametrize("name", ["mask_test_v2", "x/test"])
def test_halves_of_different_copies_are_a_fault(name: str) -> None:
    members = {n.replace("/test/", f"/{name}/"): d for n, d in msmt17_members().items()}
    assert fault(members).startswith("image folders that do not belong together, got")
