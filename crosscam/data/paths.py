"""Which paths of a dataset's files are refused, in a zip and in a folder alike.

Nothing is ever unpacked under these paths. They are refused because somebody else would
unpack them, because two of them could mean one image, and because they end up in
index.csv and on the terminal.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

MAX_PART_BYTES = 255  # of one name, on every common file system
MAX_PATH_BYTES = 1024  # of all names together: macOS takes no more, Linux 4,096

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
    data = path.encode(errors="replace")
    if (longest := max(map(len, data.split(b"/")))) > MAX_PART_BYTES:
        return (
            f"has a name of {longest:,} bytes, file systems take {MAX_PART_BYTES}:"
            " rename it"
        )
    if len(data) > MAX_PATH_BYTES:
        return (
            f"has a path of {len(data):,} bytes, the limit is {MAX_PATH_BYTES:,}: put"
            " it in fewer folders or shorten their names"
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
    folders = {*_folders(times)}
    faults |= {
        path: "is a file, and a folder in the path of another: rename one of them"
        for path in times
        if path in folders
    }
    return faults | dict(_clashes(times))


def _folders(paths: Iterable[str]) -> Iterator[str]:
    """Yield those of some sound paths that are folders in the path of another."""
    # With "/" before all other characters, what lies in a folder follows it directly.
    # To list the folders above each path takes memory with the square of its length.
    ordered = sorted(paths, key=lambda path: path.replace("/", "\0"))
    for path, after in itertools.pairwise(ordered):
        if after.startswith(f"{path}/"):
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
