"""Commands that run out of disk, memory, size of a file, or the right to write.

A limit holds while its block runs; it is lifted before the command is repeated.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.faults.checks import (
    Earlier,
    Outcome,
    earlier,
    is_edited,
    last_lines,
    lost,
    mended_lock,
    noted,
)
from tests.faults.commands import COMMANDS, Repro
from tests.faults.going_on import Watch
from tests.faults.kills import Case, complete, tidy
from tests.faults.processes import clear
from tests.faults.states import states

INSIDE = "CROSSCAM_FAULTS_MOUNT"
KIB, MIB = 1 << 10, 1 << 20
# In the order in which a run needs them: each lets it come further.
FOLDERS = (".", ".dvc/tmp", ".dvc/cache", "data", "metrics", ".runs", "models", "plots")
Limit = Callable[[Repro], AbstractContextManager[None]]


class Limited(NamedTuple):
    """A fault: its kind, what is left, and what limits a command to that."""

    kind: str
    amount: str
    limit: Limit


def enter_mounts() -> None:
    """Start this program again where it may mount, seen by no other process."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        rights = [] if os.geteuid() == 0 else ["--map-root-user"]
        again = [sys.executable, "-m", "tests.faults", *sys.argv[1:]]
        os.execvp("unshare", ["unshare", "--mount", *rights, *again])  # noqa: S606


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)


def mounted(folder: Path) -> None:
    """Give a folder a file system of its own, in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", "size=2g", "none", str(folder))


def leave(folder: Path, room: int) -> None:
    """Leave so many bytes on the file system of a folder."""
    disk = os.statvfs(folder)
    size = (disk.f_blocks - disk.f_bfree) * disk.f_frsize + room
    mount("-o", f"remount,size={max(size // KIB, 4)}k", str(folder))


def full_disk(room: int) -> Limited:
    """Leave so many bytes, for the clone and DVC's own files."""

    @contextmanager
    def limit(command: Repro) -> Iterator[None]:
        leave(command.clone.top, room)
        try:
            yield
        finally:
            leave(command.clone.top, 1 << 30)

    return Limited("disk full", f"{room // KIB} KiB left", limit)


def small_files(size: int) -> Limited:
    """Let no file grow beyond a size."""
    return _ulimit("file size limit", f"{size // KIB} KiB", f"-f {size // KIB}")


def little_memory(size: int) -> Limited:
    """Let no process have more than so many bytes of addresses."""
    return _ulimit("memory limit", f"{size // MIB} MiB", f"-v {size // KIB}")


def _ulimit(kind: str, amount: str, words: str) -> Limited:
    @contextmanager
    def limit(command: Repro) -> Iterator[None]:
        command.limit = ("bash", "-c", f'ulimit {words}; exec "$@"', "bash")
        try:
            yield
        finally:
            command.limit = ()

    return Limited(kind, amount, limit)


def read_only(name: str) -> Limited:
    """Let nobody write in a folder."""

    @contextmanager
    def limit(command: Repro) -> Iterator[None]:
        folder = command.clone.folder / name
        folder.mkdir(exist_ok=True)
        mount("--bind", str(folder), str(folder))
        mount("-o", "remount,bind,ro", str(folder))
        try:
            yield
        finally:
            unmount(folder)

    return Limited("read-only folder", "all" if name == "." else name, limit)


def run_limited(
    case: Case, name: str, faults: Sequence[Limited], top: Path
) -> list[Outcome]:
    """Run a command under one fault after the other, at last without any."""
    if own := faults[0].kind == "disk full":
        mounted(top)
    clone = case.pristine.copy(top)
    command, before = COMMANDS[name](clone), earlier(clone)
    outcome = Outcome(faults[0].kind, name)
    with noted(outcome):
        command.prepare()
        watch = Watch(clone)
        for fault in faults:
            if not struck(command, fault, before, outcome):
                break
            watch.note(outcome, states(clone.folder))
        complete(command, case.reference, outcome)
        watch.end()
    command.end()
    outcome.lost += lost(clone, before)
    tidy(clone, [outcome])
    if own and not any(top.iterdir()):
        unmount(top)
    return [outcome]


def struck(command: Repro, fault: Limited, before: Earlier, outcome: Outcome) -> bool:
    """Run a command under a fault; return whether it failed."""
    clone = command.clone
    start = clone.log.stat().st_size
    with fault.limit(command):
        command.start()
        try:
            failed = command.wait() != 0
        finally:
            clear(clone.folder)
    told = clone.log.read_bytes()[start:].decode(errors="replace")
    told = told.replace(f"{clone.top}/", "")
    outcome.lost += lost(clone, before)
    if failed:
        outcome.injected += 1
        traceback = ", a traceback" * ("Traceback" in told)
        outcome.messages.append(f"{fault.amount}: {last_lines(told)}{traceback}")
        outcome.stashed += not is_edited(clone)
        outcome.cut += mended_lock(clone)
        outcome.troubles += command.status()
        command.repair()
    return failed
