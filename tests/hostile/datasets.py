"""Sound zips that hold no sound dataset: wrong folders, names, lists and identities."""

from __future__ import annotations

from pathlib import Path

from tests.hostile.case import cases
from tests.hostile.workspace import ARCHIVE, outcome
from tests.zips import (
    duke_members,
    jpeg,
    market_members,
    market_name,
    msmt17_lists,
    msmt17_members,
    write_zip,
)

TOP = "Market"


def holding(folder: Path, members: dict[str, bytes]) -> None:
    """Put members in the place of the dataset."""
    write_zip(folder / ARCHIVE, members)


def with_image(folder: Path, name: str) -> None:
    """Add an image to the dataset."""
    holding(folder, market_members(TOP) | {f"{TOP}/{name}": jpeg(99)})


def renamed(folder: Path, old: str, new: str) -> None:
    """Change the names of members."""
    members = market_members(TOP)
    holding(folder, {name.replace(old, new): data for name, data in members.items()})


def listed(folder: Path, **lines: list[str]) -> None:
    """Write MSMT17 with other lines in some of its lists."""
    changed = {f"list_{name}.txt": value for name, value in lines.items()}
    holding(folder, msmt17_members(lists=msmt17_lists() | changed))


def indexed(folder: Path) -> None:
    """Let the stage unzip accept what the zip holds."""
    assert outcome(folder, ["stages.unzip"]) is None


# Layout


def no_member(folder: Path) -> None:
    """A zip of nothing."""
    holding(folder, {})


def another_dataset(folder: Path) -> None:
    """Images in folders that no known dataset has."""
    holding(folder, {"CUHK03/labeled/1_001_1_01.png": jpeg(1), "CUHK03/a.mat": b""})


def two_datasets(folder: Path) -> None:
    """Market-1501 and MSMT17 in one zip."""
    holding(folder, market_members(TOP) | msmt17_members())


def two_copies(folder: Path) -> None:
    """Market-1501 twice, under two names."""
    holding(folder, market_members("one") | market_members("two"))


def two_ways_of_naming(folder: Path) -> None:
    """Images of DukeMTMC-reID among those of Market-1501."""
    holding(folder, market_members(TOP) | duke_members(TOP))


def empty_subset(folder: Path) -> None:
    """No image in the folder of the queries."""
    members = market_members(TOP)
    holding(folder, {n: data for n, data in members.items() if "/query/" not in n})


def folder_in_capitals(folder: Path) -> None:
    """The folder of the queries in capitals, as some systems do not tell them apart."""
    renamed(folder, "/query/", "/Query/")


def image_in_a_folder_of_its_own(folder: Path) -> None:
    """An image one folder too deep."""
    with_image(folder, "query/0003/0003_c1s1_000301_01.jpg")


# Names


def camera_zero(folder: Path) -> None:
    """An image of camera 0, where cameras count from 1."""
    with_image(folder, "query/0003_c0s1_000301_01.jpg")


def no_camera(folder: Path) -> None:
    """Names that do not tell the camera."""
    renamed(folder, "_c", "_")


def camera_of_twenty_digits(folder: Path) -> None:
    """A camera number that no integer of the tables can hold."""
    with_image(folder, "query/0003_c12345678901234567890s1_000301_01.jpg")


def foreign_digits(folder: Path) -> None:
    """A pid in Arabic digits, which Python's int would read."""
    with_image(folder, "query/٠٠٠٣_c1s1_000301_01.jpg")


def negative_pid(folder: Path) -> None:
    """A pid of -2, where -1 is the only one below zero."""
    with_image(folder, "bounding_box_test/-2_c1s1_000301_01.jpg")


def notes_among_the_images(folder: Path) -> None:
    """A text file in an image folder."""
    with_image(folder, "query/notes.txt")


# The lists of MSMT17


def list_that_climbs(folder: Path) -> None:
    """A list that names a file of the system."""
    listed(folder, query=["../../../etc/passwd 0"])


def list_that_is_no_text(folder: Path) -> None:
    """A list of random bytes."""
    members = msmt17_members()
    holding(folder, members | {"MSMT17_V1/list_query.txt": b"\xff\xfe\0"})


def list_without_labels(folder: Path) -> None:
    """A list whose lines are paths alone."""
    lines = msmt17_lists()["list_query.txt"]
    listed(folder, query=[lines[0].split()[0], *lines[1:]])


def list_with_an_absurd_label(folder: Path) -> None:
    """A training label that would stand for somebody of the test half."""
    lines = msmt17_lists()["list_train.txt"]
    listed(folder, train=[f"{lines[0].split()[0]} 10000", *lines[1:]])


def image_in_two_lists(folder: Path) -> None:
    """An image that is a query and in the gallery."""
    lists = msmt17_lists()
    query, gallery = (lists[f"list_{name}.txt"] for name in ("query", "gallery"))
    listed(folder, gallery=[*gallery, query[0]])


def missing_list(folder: Path) -> None:
    """MSMT17 without the list of its queries, as many copies are."""
    members = msmt17_members()
    del members["MSMT17_V1/list_query.txt"]
    holding(folder, members)


UNZIPPED = cases(
    "datasets",
    "stages.unzip",
    no_member,
    another_dataset,
    two_datasets,
    two_copies,
    two_ways_of_naming,
    empty_subset,
    folder_in_capitals,
    image_in_a_folder_of_its_own,
    camera_zero,
    no_camera,
    camera_of_twenty_digits,
    foreign_digits,
    negative_pid,
    notes_among_the_images,
    list_that_climbs,
    list_that_is_no_text,
    list_without_labels,
    list_with_an_absurd_label,
    image_in_two_lists,
    missing_list,
)


# What only the stage split can see


def person_in_both_halves(folder: Path) -> None:
    """A person of the test set among the training images."""
    with_image(folder, f"bounding_box_train/{market_name(3, 0)}")
    indexed(folder)


def junk_among_the_queries(folder: Path) -> None:
    """A query that is nobody."""
    with_image(folder, f"query/{market_name(-1, 0)}")
    indexed(folder)


def one_camera(folder: Path) -> None:
    """All images of one camera."""
    members = market_members(TOP)
    holding(folder, {n: data for n, data in members.items() if "_c1" in n})
    indexed(folder)


def no_query_with_an_answer(folder: Path) -> None:
    """Queries of other people than the gallery's."""
    members = market_members(TOP)
    renamed_queries = {
        n.replace("query/000", "query/001"): d for n, d in members.items()
    }
    holding(folder, renamed_queries)
    indexed(folder)


SPLIT = cases(
    "datasets",
    "stages.split",
    person_in_both_halves,
    junk_among_the_queries,
    one_camera,
    no_query_with_an_answer,
)
CASES = (*UNZIPPED, *SPLIT)
