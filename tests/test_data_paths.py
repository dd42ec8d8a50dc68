from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.data.paths import MAX_PART_BYTES, MAX_PATH_BYTES, path_faults, strange


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("../a", "leads outside"),
        ("a/..", "leads outside"),
        ("/a", "leads outside"),
        ("c:a", "leads outside"),
        (".", "has no name"),
        ("", "has no name"),
        ("a\r/b", "control characters"),
        ("a\x9f", "control characters"),
        ("a\u2028b", "control characters"),
        ("a" * 256, "a name of 256 bytes"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 128, "a name of 256 bytes"),
        ("a/" * 512 + "b", "a path of 1,025 bytes, the limit is 1,024: put it in"),
        ("\xe9/" * 341 + "ab", "a path of 1,025 bytes"),
    ],
)
def test_strange_paths(path: str, fault: str) -> None:
    assert fault in str(strange(path))


@pytest.mark.parametrize(
    "path",
    [
        *("a..b/..c", "a b/c", "~/a", "\xa0"),
        "a" * MAX_PART_BYTES,
        "ab/" * (MAX_PATH_BYTES // 3) + "c",
    ],
)
def test_other_paths(path: str) -> None:
    assert strange(path) is None


def test_two_paths_may_not_mean_one_file() -> None:
    faults = path_faults(["a/B.jpg", "a/b.jpg", "c", "c", "d", "d/e", "f"])
    assert sorted(faults) == ["a/b.jpg", "c", "d"]
    assert faults["a/b.jpg"].startswith("differs from 'a/B.jpg' in capitals or")
    assert faults["c"].startswith("occurs 2 times")
    assert faults["d"].startswith("is a file, and a folder in the path of another")


def test_a_folder_is_found_among_paths_that_begin_like_it() -> None:
    """Whatever the order of their characters: some come before a slash, some after."""
    paths = ["a", "a!", "a-b/c", "a/b", "a0", "ab/c", "x/y", "x/y.z", "x/y/z"]
    assert sorted(path_faults(paths)) == ["a", "x/y"]


@given(st.lists(st.text("ab.!/", max_size=6), max_size=6))
def test_folders_are_those_above_other_files(paths: list[str]) -> None:
    sound = {path for path in paths if not strange(path)}
    told = {p for p, fault in path_faults(paths).items() if "is a file, and a" in fault}
    assert told == {p for p in sound if any(o.startswith(f"{p}/") for o in sound)}


@pytest.mark.parametrize("length", [1_000, 65_534])
def test_long_paths_take_no_more_memory_than_their_characters(length: int) -> None:
    """To list all folders above one of 65,535 bytes took a gigabyte."""
    paths = [f"{number:03d}{'/a' * (length // 2 - 2)}" for number in range(20)]
    tracemalloc.start()
    path_faults(paths)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * sum(map(len, paths))


def test_accents_in_two_spellings() -> None:
    assert sorted(path_faults(["\xe9", "e\u0301"])) == ["\xe9"]


@given(st.lists(st.text("ab./A", max_size=6), max_size=6))
def test_paths_without_faults_stay_apart_on_every_system(paths: list[str]) -> None:
    sound = [path for path in paths if path not in path_faults(paths)]
    folded = [path.casefold() for path in sound]
    assert len({*folded}) == len(folded)
    assert all(".." not in path.split("/") for path in sound)
