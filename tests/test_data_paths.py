from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.data.paths import MAX_PART_BYTES, path_faults, strange


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
    ],
)
def test_strange_paths(path: str, fault: str) -> None:
    assert fault in str(strange(path))


@pytest.mark.parametrize(
    "path", ["a..b/..c", "a b/c", "a" * MAX_PART_BYTES, "~/a", "\xa0"]
)
def test_other_paths(path: str) -> None:
    assert strange(path) is None


def test_two_paths_may_not_mean_one_file() -> None:
    faults = path_faults(["a/B.jpg", "a/b.jpg", "c", "c", "d", "d/e", "f"])
    assert sorted(faults) == ["a/b.jpg", "c", "d"]
    assert faults["a/b.jpg"].startswith("differs from 'a/B.jpg' in capitals or")
    assert faults["c"].startswith("occurs 2 times")
    assert faults["d"].startswith("is a file, and a folder in the path of another")


def test_accents_in_two_spellings() -> None:
    assert sorted(path_faults(["\xe9", "e\u0301"])) == ["\xe9"]


@given(st.lists(st.text("ab./A", max_size=6), max_size=6))
def test_paths_without_faults_stay_apart_on_every_system(paths: list[str]) -> None:
    sound = [path for path in paths if path not in path_faults(paths)]
    folded = [path.casefold() for path in sound]
    assert len({*folded}) == len(folded)
    assert all(".." not in path.split("/") for path in sound)
