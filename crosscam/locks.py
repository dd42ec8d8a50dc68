"""Locks that end with their process: files that are there only while they are held."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock file for the length of a block.

    Parameters
    ----------
    path
        Of the file; its folder is made.
    wait
        For another process that holds it, and say so.

    Raises
    ------
    BlockingIOError
        If another process holds it, unless this one waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a+") as file:
            _take(file.fileno(), path, wait=wait)
            # The one that had it may have removed it: then it keeps nobody out.
            if _is_at(file, path):
                file.truncate(0)
                file.write(f"{os.getpid()} on {socket.gethostname()}\n")
                file.flush()
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def remove_stale(folder: Path) -> None:
    """Remove the lock files of processes that were killed: nobody holds those."""
    for path in sorted(folder.glob("*.lock")):
        # Whoever waits for it sees that it is gone, and makes a new one. A folder can
        # be shared with other users, whose files are not ours to open.
        with suppress(BlockingIOError, PermissionError), locked(path, wait=False):
            pass


def _is_at(file: IO[str], path: Path) -> bool:
    """Return whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _take(handle: int, path: Path, *, wait: bool) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise
        holder = ""
        with suppress(FileNotFoundError):  # it has ended meanwhile
            holder = path.read_text().strip()
        log.warning("%s: held by process %s: waiting for it to end", path, holder)
        fcntl.flock(handle, fcntl.LOCK_EX)
