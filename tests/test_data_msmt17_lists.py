from __future__ import annotations

import re

import pytest

from crosscam.data.faults import DataError
from crosscam.data.msmt17 import LISTS
from crosscam.data.msmt17_lists import Entry, read_lists

LINE = "0000/0000_000_01_0303morning_0015_0.jpg 0\n"
WHOLE = {f"a/{file}": LINE.encode() for file in LISTS}


def faults(files: dict[str, bytes]) -> list[str]:
    return read_lists([*files], files.__getitem__)[1]


def test_entries_by_hand() -> None:
    files = {
        "b/list_val.txt": b"",
        "a/list_train.txt": b"0000/x.jpg 0\n0001/y z.jpg 12\n",
        "list_gallery.txt": b"\xef\xbb\xbf\r\n  0003/u.jpeg\t3  \r\n\r\n",
        "c/list_query.txt": b"v 000",
    }
    entries, found = read_lists([*files], files.__getitem__)
    assert found == []
    assert entries == [
        Entry("'a/list_train.txt' line 1", "train", "0000/x.jpg", 0),
        Entry("'a/list_train.txt' line 2", "train", "0001/y z.jpg", 12),
        Entry("'c/list_query.txt' line 1", "query", "v", 0),
        Entry("'list_gallery.txt' line 2", "gallery", "0003/u.jpeg", 3),
    ]


@pytest.mark.parametrize("file", LISTS)
def test_missing_list_is_a_fault(file: str) -> None:
    files = {name: text for name, text in WHOLE.items() if not name.endswith(file)}
    (fault,) = faults(files)
    assert fault.startswith(f"images of MSMT17 without {file}: put the four lists")


def test_all_missing_lists_are_one_fault() -> None:
    (fault,) = faults({})
    assert f"without {', '.join(LISTS)}: put" in fault


@pytest.mark.parametrize("file", ["list_train.txt", "list_query.txt"])
def test_empty_list_is_a_fault(file: str) -> None:
    (fault,) = faults(WHOLE | {f"a/{file}": b" \n\n"})
    assert fault == f"'a/{file}': names no image: the archive is not complete"


@pytest.mark.parametrize(
    "line",
    ["0000/x.jpg", "0", "0000/x.jpg -1", "0000/x.jpg 0.5", "x.jpg 1000000000", "x ٢"],
)
def test_malformed_line_is_a_fault(line: str) -> None:
    text = f"{LINE}{line}\n{LINE}".encode()
    (fault,) = faults(WHOLE | {"a/list_gallery.txt": text})
    message = r"^'a/list_gallery\.txt' line 2: not a path and a label, got "
    assert re.match(message + re.escape(repr(line)), fault)


def test_the_same_lists_twice_are_fine() -> None:
    entries, found = read_lists([*WHOLE], WHOLE.__getitem__)
    copies = {**WHOLE, **{f"b/{name}": text for name, text in WHOLE.items()}}
    assert read_lists([*copies], copies.__getitem__) == (entries, found)


def test_two_different_lists_are_a_fault() -> None:
    (fault,) = faults(WHOLE | {"b/list_val.txt": b"x.jpg 3\n"})
    assert fault == (
        "2 lists of one name and different contents, got ['a/list_val.txt',"
        " 'b/list_val.txt']: keep one set of lists"
    )


def test_what_is_no_text_is_a_fault() -> None:
    (fault,) = faults(WHOLE | {"a/list_val.txt": b"\xff\xfe0"})
    assert fault.startswith("'a/list_val.txt': not a text, got ")


def test_list_that_cannot_be_read_is_a_fault() -> None:
    def read(name: str) -> bytes:
        if "val" in name:
            raise DataError(f"{name}: damaged")
        return WHOLE[name]

    entries, found = read_lists([*WHOLE], read)
    assert found == ["a/list_val.txt: damaged"]
    assert len(entries) == 3
