"""The other processes of a stage on this machine: started, watched and ended.

The process that a user or DVC starts is the first. It starts the others, which end with
it, however it ends: they read from a pipe that closes then.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch.distributed as dist
from torch.distributed.distributed_c10d import Store

from crosscam.processes import FAULT, TIMEOUT, ProcessesError

HELPS = "CROSSCAM_HELPS"  # in a helper's environment, see `Helper`
LEFT_ALONE = 75  # status of a helper that ends because another process has ended
GRACE = 5.0  # seconds for processes to end by themselves once one has ended
PAUSE = 0.1  # seconds between two looks at them
AGAIN = "repeat the command: training goes on after the last whole epoch"


class Helper(NamedTuple):
    """What a process that was started here is told.

    Parameters
    ----------
    rank, size
        Its number, and that of all processes.
    file
        Of the store that they share, in a folder of its own.
    """

    rank: int
    size: int
    file: Path

    @staticmethod
    def this() -> Helper | None:
        """Return what this process was told, or None if it is no helper."""
        if HELPS not in os.environ:
            return None
        rank, size, file = os.environ[HELPS].split(maxsplit=2)
        return Helper(int(rank), int(size), Path(file))

    def store(self) -> Store:
        """Return the store of all processes."""
        store: Store = dist.FileStore(str(self.file), self.size)  # type: ignore[attr-defined]
        store.set_timeout(TIMEOUT)
        return store

    def end_with_first(self) -> None:
        """End this process as soon as the first one has ended."""
        threading.Thread(target=self._wait_for_end, daemon=True).start()

    def _wait_for_end(self) -> None:
        os.read(0, 1)
        shutil.rmtree(self.file.parent, ignore_errors=True)
        os._exit(LEFT_ALONE)


@contextmanager
def started(num: int, module: str) -> Iterator[Store]:
    """Start all processes but the first, which this one is, and watch them.

    Parameters
    ----------
    num
        Of all processes.
    module
        That the others run.

    Raises
    ------
    ProcessesError
        If the block raises one, with the reason.
    """
    folder = Path(tempfile.mkdtemp(prefix="crosscam-"))
    stay_inside()
    first = Helper(0, num, folder / "store")
    processes = [_start(module, first._replace(rank=rank)) for rank in range(1, num)]
    others, over = _Others(processes, first.store()), threading.Event()
    watch = threading.Thread(target=_watch, args=(others, over, folder), daemon=True)
    watch.start()
    try:
        yield others.store
    except ProcessesError as error:
        raise ProcessesError(others.reason()) from error
    finally:
        over.set()
        others.finish()
        shutil.rmtree(folder, ignore_errors=True)


def stay_inside() -> None:
    """Let processes of one machine talk where nothing from outside can reach them.

    For the same reason they meet in a file: torch's other store would listen to all.
    """
    for _, name in socket.if_nameindex():
        if name in {"lo", "lo0"}:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
            # NCCL takes names for beginnings, and this interface only if it is told.
            os.environ.setdefault("NCCL_SOCKET_IFNAME", f"={name}")


def _start(module: str, told: Helper) -> subprocess.Popen[bytes]:
    paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")]
    found = os.pathsep.join(path for path in paths if path)
    words = " ".join(str(part) for part in told)
    return subprocess.Popen(  # noqa: S603 (a module of ours)
        [sys.executable, "-m", module],
        env={**os.environ, HELPS: words, "PYTHONPATH": found},
        stdin=subprocess.PIPE,
        process_group=0,  # a Ctrl-C is for the first one
    )


class _Others(NamedTuple):
    processes: list[subprocess.Popen[bytes]]
    store: Store

    def ended(self, *well: int) -> dict[int, int]:
        """Return the status of those that ended, but for `well`, by number from 2."""
        codes = {n: p.poll() for n, p in enumerate(self.processes, start=2)}
        return {n: c for n, c in codes.items() if c is not None and c not in well}

    def reason(self) -> str:
        """Return why one has ended, as far as it is known after a while."""
        until(lambda: bool(self.ended(0, LEFT_ALONE)) or self.store.check([FAULT]))
        if self.store.check([FAULT]):
            return self.store.get(FAULT).decode()
        num = len(self.processes) + 1
        for number, code in self.ended(0, LEFT_ALONE).items():
            status = f"ended with status {code}"
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else status
            return f"process {number} of {num} {how}, and all others with it: {AGAIN}"
        return f"one of {num} processes does not answer: {AGAIN}"

    def finish(self) -> None:
        """End those that are left."""
        for process in self.processes:
            if process.stdin:
                process.stdin.close()
        for process in self.processes:
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _watch(others: _Others, over: threading.Event, folder: Path) -> None:
    """End this process if another one has ended and it does not notice."""
    while not over.wait(PAUSE):
        if others.ended(0) and not over.wait(GRACE):
            sys.stderr.write(f"{others.reason()}\n")
            sys.stderr.flush()
            others.finish()
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(1)


def until(there: Callable[[], bool]) -> None:
    """Wait until something is there, for a while."""
    end = time.monotonic() + GRACE
    while not there() and time.monotonic() < end:
        time.sleep(PAUSE)
