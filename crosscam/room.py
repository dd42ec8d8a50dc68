"""Free memory and disk space, looked at before long work needs them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Groups(NamedTuple):
    """Where a version of control groups tells of memory.

    Parameters
    ----------
    controller
        Of the line of proc/self/cgroup that names the group of this process.
    folder
        Of the topmost group.
    limit, used, stat
        Files of a group.
    cache
        Keys in `stat`: memory that files are cached in and that goes when it is needed.
    """

    controller: str
    folder: str
    limit: str
    used: str
    stat: str = "memory.stat"
    cache: tuple[str, ...] = ("active_file", "inactive_file")


GROUPS = (
    Groups("", "sys/fs/cgroup", "memory.max", "memory.current"),
    Groups(
        "memory",
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        cache=("total_active_file", "total_inactive_file"),
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
    job) or one above it limits it. Memory that files are cached in counts as available.

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
    for groups in GROUPS:
        top = root / groups.folder
        own = top / _own_group(root, groups.controller)
        # Of a container that sees its own part alone, the path is one of outside.
        for folder in [own, *own.parents][: len(own.parts) - len(top.parts) + 1]:
            if (folder / groups.used).exists() and (folder / groups.limit).exists():
                yield from _of_group(folder, groups)


def _own_group(root: Path, controller: str) -> str:
    """Return the path of this process's group below the topmost one, "" if not told."""
    table = root / "proc/self/cgroup"
    lines = table.read_text().splitlines() if table.exists() else []
    parts = (line.split(":", 2) for line in lines)
    found = [path for _, names, path in parts if controller in names.split(",")]
    path = found[0].strip("/") if found else ""
    return "" if ".." in path.split("/") else path


def _of_group(folder: Path, groups: Groups) -> Iterator[int]:
    limit, used = (
        (folder / n).read_text().strip() for n in (groups.limit, groups.used)
    )
    stat = folder / groups.stat
    rows = stat.read_text().splitlines() if stat.exists() else []
    pairs = (row.split() for row in rows)
    cache = [int(pair[1]) for pair in pairs if pair[0] in groups.cache]
    if limit.isdecimal():
        yield max(0, int(limit) - int(used) + sum(cache))


def _size(num_bytes: float) -> str:
    """Return bytes in GB (10^9), or in MB where there are few."""
    if num_bytes < 1e8:
        return f"{num_bytes / 1e6:.1f} MB"
    return f"{num_bytes / 1e9:.1f} GB"
