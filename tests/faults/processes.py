"""The processes at work in a folder, found by where they run, and their end."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
STAGES = ("synthesize", "unzip", "split", "intra", "inter", "extract", "evaluate")


class Process(NamedTuple):
    """A process and its command line, words separated by blanks."""

    pid: int
    command: str

    @property
    def stage(self) -> str:
        """Name of the stage that it is, or nothing."""
        match = re.fullmatch(r"\S*python\S* -m stages\.(\w+)", self.command)
        return match[1] if match else ""

    @property
    def is_dvc(self) -> bool:
        return re.match(r"\S*python\S* (-m|\S*/)\s?dvc ", self.command) is not None


def at_work(folder: Path) -> list[Process]:
    """Return the processes whose current folder is this one or lies in it."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                place = (entry / "cwd").readlink()
                if place.is_relative_to(folder):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    command = b" ".join(words).decode(errors="replace").strip()
                    found.append(Process(int(entry.name), command))
            except OSError:  # it has ended
                continue
    return [process for process in found if process.command]  # a dead one has none


def kill(processes: Iterable[Process]) -> int:
    """End processes at once, without a chance to tidy up; return how many."""
    number = 0
    for process in processes:
        try:
            os.kill(process.pid, signal.SIGKILL)
            number += 1
        except ProcessLookupError:
            continue
    return number


def clear(folder: Path) -> None:
    """Kill all that is at work in a folder, until nothing is."""
    while there := at_work(folder):
        kill(there)
        time.sleep(0.05)
