"""The memory of this process and the work of all others, as the kernel counts them."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
WHOSE = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def settle() -> None:
    """Give free memory back, and forget the peak where the kernel allows that."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def peak_bytes() -> int:
    """Return the peak of resident memory, since `settle` where that could be done."""
    if STATUS.exists():
        lines = (line.split() for line in STATUS.read_text("ascii").splitlines())
        return next(1024 * int(line[1]) for line in lines if line[0] == "VmHWM:")
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def own_seconds() -> float:
    """Return the processor seconds of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in WHOSE]
    return sum(part.ru_utime + part.ru_stime for part in used)


def all_seconds() -> float:
    """Return the processor seconds of all programs; 0 where nobody tells."""
    try:
        line = Path("/proc/stat").read_text("ascii").splitlines()[0]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK")
