"""A disk that is full from a certain write on."""

from __future__ import annotations

import errno
import itertools
import os

import pytest


def fill_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let writing fail as on a full disk, once so many files have been written."""
    numbers, sync = itertools.count(), os.fsync

    def fsync(handle: int) -> None:
        if next(numbers) >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # names no file
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
