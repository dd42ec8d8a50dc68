"""Free memory and disk space, looked at before long work needs them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

# Of the limit on a container's memory and its use: control groups, version 2 and 1.
GROUPS = (
    ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current"),
    (
        "sys/fs/cgroup/memory/memory.limit_in_bytes",
        "sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


class RoomError(OSError):
    """There is not enough memory or disk; the message says for what and what to do."""


def check_disk(folder: Path, num_bytes: float, what: str) -> None:
    """Raise unless a file system has so many bytes free.

    Parameters
    ----------
    folder
        In it; need not exist yet.
    num_bytes
        That will be written.
    what
        That takes them, for the message.

    Raises
    ------
    RoomError
        If there are fewer.
    """
    there = folder.resolve()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < num_bytes:
        raise RoomError(
            f"{folder}: {what} needs {_size(num_bytes)} of disk, got {_size(free)} "
            "free: make room (dvc gc removes what no experiment needs)"
        )


def check_memory(num_bytes: float, what: str, root: Path = Path("/")) -> None:
    """Raise unless so much memory is available; where it is not known, do nothing.

    Parameters
    ----------
    num_bytes
        That will be taken.
    what
        That takes them, with what to do about it, for the message.
    root
        Of the file system that tells (``proc``, ``sys``).

    Raises
    ------
    RoomError
        If there is less.
    """
    available = available_memory(root)
    if available is not None and available < num_bytes:
        raise RoomError(
            f"memory: needs {_size(num_bytes)}, got {_size(available)} available: "
            f"{what}"
        )


def available_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that can still be taken; None where the system does not say.

    What the machine has available, or less if a control group (a container, a Slurm
    job) limits it. Memory that files are cached in counts as available.

    Parameters
    ----------
    root
        Of the file system that tells.
    """
    return min([*_of_machine(root), *_of_groups(root)], default=None)


def _of_machine(root: Path) -> Iterator[int]:
    table = root / "proc/meminfo"
    if table.exists():
        rows = (line.split() for line in table.read_text().splitlines())
        yield from (1024 * int(row[1]) for row in rows if row[:1] == ["MemAvailable:"])


def _of_groups(root: Path) -> Iterator[int]:
    for names in GROUPS:
        paths = [root / name for name in names]
        if all(path.exists() for path in paths):
            limit, used = (path.read_text().strip() for path in paths)
            if limit.isdecimal():
                yield max(0, int(limit) - int(used))


def _size(num_bytes: float) -> str:
    """Return bytes in GB (10^9), or in MB where there are few."""
    if num_bytes < 1e8:
        return f"{num_bytes / 1e6:.1f} MB"
    return f"{num_bytes / 1e9:.1f} GB"
