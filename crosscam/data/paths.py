"""Which paths of a dataset's files are refused, in a zip and in a folder alike.

Nothing is ever unpacked under these paths. They are refused because somebody else would
unpack them, because two of them could mean one image, and because they end up in
index.csv and on the terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

MAX_PART_BYTES = 255  # of one name, on every common file system

_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")


def strange(path: str) -> str | None:
    """Return what is wrong with a path for itself, or None.

    Parameters
    ----------
    path
        With ``/`` between the parts.
    """
    parts = path.split("/")
    if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in parts:
        return "path leads outside the archive: do not trust the archive"
    if path in {"", "."}:
        return "has no name: zip the folder again"
    if _CONTROL.search(path):
        return "has control characters in its path: rename it"
    longest = max(len(part.encode(errors="replace")) for part in parts)
    if longest > MAX_PART_BYTES:
        return (
            f"has a name of {longest:,} bytes, file systems take {MAX_PART_BYTES}:"
            " rename it"
        )
    return None


def path_faults(paths: Sequence[str]) -> dict[str, str]:
    """Return per faulty path of a file what is wrong with it.

    Parameters
    ----------
    paths
        With ``/`` between the parts; a path may be there more than once.
    """
    faults = {path: fault for path in paths if (fault := strange(path))}
    times = Counter(path for path in paths if path not in faults)
    faults |= {
        path: f"occurs {number} times: keep one of them"
        for path, number in times.items()
        if number > 1
    }
    folders = {folder for path in times for folder in _above(path)}
    faults |= {
        path: "is a file, and a folder in the path of another: rename one of them"
        for path in times
        if path in folders
    }
    return faults | dict(_clashes(times))


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path leads through."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _clashes(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield paths that some systems do not tell from another, and a fault for each."""
    first: dict[str, str] = {}
    for path in sorted(paths):
        other = first.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if other != path:
            yield (
                path,
                (
                    f"differs from {other!a} in capitals or in the spelling of accents"
                    " alone: keep one of them, or rename it"
                ),
            )
