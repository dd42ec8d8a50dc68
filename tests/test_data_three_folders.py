from __future__ import annotations

import pytest

from crosscam.data.listing import Listing
from crosscam.data.market1501 import FOLDERS
from crosscam.data.naming import ImageName
from crosscam.data.three_folders import lies_within, list_folders
from tests.zips import TOP, duke_members, market_members

WHOLE = tuple(market_members())


def listed(*names: str) -> Listing:
    return list_folders(sorted(names))


def test_subset_and_name_are_told() -> None:
    images = {image.member: image for image in listed(*WHOLE).images}
    image = images[f"{TOP}/bounding_box_train/0007_c2s1_000725_01.jpg"]
    assert (image.subset, image.name) == ("train", ImageName(7, 1, 1, 725))
    assert images[f"{TOP}/bounding_box_test/-1_c1s1_000001_01.jpg.jpg"].name.pid == -1
    subsets = [image.subset for image in images.values()]
    assert [subsets.count(name) for name in FOLDERS.values()] == [12, 4, 6]


def test_names_of_dukemtmc_are_told() -> None:
    found = listed(*duke_members())
    assert found.layout == "dukemtmc"
    images = {image.member: image for image in found.images}
    image = images["DukeMTMC-reID/bounding_box_train/0007_c2_f0001725.jpg"]
    assert (image.subset, image.name) == ("train", ImageName(7, 1, -1, 1725))
    subsets = [image.subset for image in images.values()]
    assert [subsets.count(name) for name in FOLDERS.values()] == [12, 4, 4]


def test_synthetic_dataset_has_no_published_counts() -> None:
    found = listed(*market_members("synthetic"))
    assert (found.layout, found.published) == ("synthetic", None)


def test_other_members_are_counted_by_kind() -> None:
    others = [
        f"{TOP}/gt_bbox/0003_c1s1_000300_01.jpg",
        f"{TOP}/gt_query/0003_c1s1_000300_01_good.mat",
        f"{TOP}/readme.txt",
        f"{TOP}/notes.pdf",
        "LICENSE",
    ]
    found = listed(*WHOLE, *others)
    assert found.faults == ()
    assert len(found.images) == len(WHOLE)
    assert found.ignored == {"gt_bbox": 1, "gt_query": 1, "other": 2, "readme": 1}
    assert [lies_within(name) for name in others] == [False] * 5


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("members", [market_members(), duke_members()])
def test_empty_subset_is_a_fault(folder: str, members: dict[str, bytes]) -> None:
    names = [name for name in members if f"/{folder}/" not in name]
    message = (
        f"{FOLDERS[folder]}: no image under {folder}/: the archive is not complete"
    )
    assert listed(*names).faults == (message,)


def test_every_wrong_name_is_a_fault() -> None:
    names = (f"{TOP}/query/notes.txt", f"{TOP}/query/0001_c0s1_000001_01.jpg")
    first, second = listed(*WHOLE, *names).faults
    assert first.startswith(
        f"'{TOP}/query/0001_c0s1_000001_01.jpg': camera number is 0"
    )
    assert second.startswith(f"'{TOP}/query/notes.txt': not a Market-1501 image name")


def test_wrong_names_are_compared_with_those_around_them() -> None:
    (fault,) = listed(*duke_members(), "query/0001_c1_46985.jpg").faults
    assert "not a DukeMTMC-reID image name: rename it after the pattern of 00" in fault


def test_image_in_a_deeper_folder_is_a_fault() -> None:
    name = f"{TOP}/query/more/0001_c1s1_000001_01.jpg"
    (fault,) = listed(*WHOLE, name).faults
    assert fault == f"{name!r}: below the image folder: move it up into it"


def test_two_namings_are_a_fault() -> None:
    found = listed(*WHOLE, *duke_members(TOP))
    assert (found.layout, found.images) == ("unknown", ())
    (fault,) = found.faults
    assert fault == (
        "images are named in two ways, got 22 as in Market-1501"
        f" ('{TOP}/bounding_box_test/-1_c1s1_000001_01.jpg.jpg') and 20 as in"
        f" DukeMTMC-reID ('{TOP}/bounding_box_test/0003_c1_f0001325.jpg'): keep one"
        " dataset per archive, or name all of its images alike"
    )


def test_names_without_cameras_get_one_answer() -> None:
    names = [f"mine/{folder}/{pid:04d}.jpg" for folder in FOLDERS for pid in range(9)]
    (fault,) = listed(*names).faults
    assert fault.startswith(
        "none of 27 files in image folders tells its camera by its name, got '0000.jpg'"
        ": nothing can be trained or evaluated across cameras without it, rename the"
    )
    assert "0002_c1s1_000451_03.jpg (Market-1501) or 0005_c2_f0046985.jpg (Duk" in fault
    assert fault.endswith("see 'One camera' in docs/datasets.md")


def test_names_of_another_grammar_get_one_answer() -> None:
    names = [f"CUHK/{folder}/0005_C2_46985_1.png" for folder in FOLDERS]
    (fault,) = listed(*names).faults
    assert fault.startswith(
        "none of 3 files in image folders has a name that is known, got '0005_C2_46985_"
    )
