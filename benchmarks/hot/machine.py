"""What the numbers were measured on."""

from __future__ import annotations

import datetime
import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "numpy",
    "numba",
    "scipy",
    "scikit-learn",
    "torch",
    "torchvision",
    "timm",
    "pillow",
    "faiss-cpu",
    "fastcluster",
    "fastreid",
    "torchreid",
)
# Of one program. Above it, at the start, others are at work.
QUIET = 0.5


def machine(threads: int) -> dict[str, Any]:
    """Return the processor, the versions and the day."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gb": round(memory_gb(), 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": versions(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def processor() -> str:
    """Return the model of the processor."""
    return told("model name") or platform.processor() or platform.machine()


def has(flag: str) -> bool:
    """Return whether Linux says that the processor has instructions of this name."""
    return flag in told("flags").split()


def told(name: str) -> str:
    """Return what Linux says of the first processor under a name, or nothing."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        named = next(line for line in lines if line.startswith(name))
        return named.partition(":")[2].strip()
    return ""


def memory_gb() -> float:
    """Return the size of the memory, in 10^9 bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def versions() -> dict[str, str]:
    """Return the versions of what is installed of ours and the peers' packages."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
