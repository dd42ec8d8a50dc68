"""MSMT17's four lists: which image is of which subset, and who is on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from crosscam.data.faults import DataError
from crosscam.data.msmt17 import EXAMPLE, LISTS, list_of

_LINE = re.compile(r"(?P<path>\S.*?)\s+(?P<label>\d{1,9})", re.ASCII)


class Entry(NamedTuple):
    """A line of a list.

    Parameters
    ----------
    where
        What to call the line in a fault.
    subset
        Whose list it is.
    path
        Of the image, below the image folder of its half.
    label
        Who is on it, from 0.
    """

    where: str
    subset: str
    path: str
    label: int


def read_lists(
    names: Sequence[str], read: Callable[[str], bytes]
) -> tuple[list[Entry], list[str]]:
    """Return the entries of all lists, in order, and the faults of what is none.

    Parameters
    ----------
    names
        Paths of the members that are files.
    read
        Returns the contents of a member. May raise DataError.
    """
    members: dict[str, list[str]] = {file: [] for file in LISTS}
    for name in names:
        if list_of(name):
            members[name.rsplit("/", 1)[-1]].append(name)
    entries: list[Entry] = []
    faults: list[str] = []
    if missing := [file for file, found in members.items() if not found]:
        faults.append(
            f"images of MSMT17 without {', '.join(missing)}: put the four lists of its"
            " authors into the archive, nothing else tells who is who"
        )
    for file, found in members.items():
        if found:
            try:
                entries += _entries(file, found[0], _text(found, read), faults)
            except DataError as error:
                faults += error.faults
    return entries, faults


def _text(members: Sequence[str], read: Callable[[str], bytes]) -> str:
    """Return the text of a list that may be there more than once."""
    contents = {read(member) for member in members}
    if len(contents) > 1:
        raise DataError(
            f"{len(members)} lists of one name and different contents, got"
            f" {list(members[:5])}: keep one set of lists"
        )
    try:
        return contents.pop().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{members[0]!r}: not a text, got {error}: get the archive again"
        ) from error


def _entries(file: str, member: str, text: str, faults: list[str]) -> list[Entry]:
    """Return the entries of a list; lines that are none are added to the faults."""
    subset = LISTS[file]
    entries = []
    lines = [line.strip() for line in text.splitlines()]
    for number, line in enumerate(lines, 1):
        where = f"{member!r} line {number}"
        if match := _LINE.fullmatch(line):
            label = int(match["label"])
            entries.append(Entry(where, subset, match["path"], label))
        elif line:
            faults.append(
                f"{where}: not a path and a label, got {line[:80]!r}: expected a line"
                f" like '0000/{EXAMPLE} 0'"
            )
    if subset != "val" and not any(lines):
        faults.append(f"{member!r}: names no image: the archive is not complete")
    return entries
