"""One implementation in a process of its own: ``python -m benchmarks.hot.worker``.

The order comes as JSON: what to do (make inputs, run, compare), of which path and case,
in which folder.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hot import memory, path

ANSWER = "answer.json"


def main() -> None:
    """Carry out the order, and leave an answer."""
    order = json.loads(sys.argv[1])
    try:
        answer = {"inputs": inputs, "run": run, "compare": compare}[order["do"]](order)
    except Exception as error:  # noqa: BLE001 (whatever a peer raises is its answer)
        traceback.print_exc()
        said = str(error).strip().partition("\n")[0]
        answer = {"error": f"{type(error).__name__}: {said}"}
    (Path(order["folder"]) / ANSWER).write_text(json.dumps(answer), "utf-8")


def path_of(order: dict[str, Any]) -> path.Path:
    """Return the path whose module an order names."""
    found: path.Path = importlib.import_module(order["module"]).PATH
    return found


def inputs(order: dict[str, Any]) -> dict[str, Any]:
    """Make the arrays of the case, and of the run before it."""
    for name in ("warm", "inputs"):
        save(Path(order["folder"]) / name, path_of(order).inputs(*order[name]))
    return {}


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Compute once to warm up, and once with clocks."""
    folder = Path(order["folder"])
    start = path_of(order).implementation(order["name"]).start
    start(load(folder / "warm"), *order["warm"])()
    timed = start(load(folder / "inputs"), *order["inputs"])
    memory.settle()
    load_average = os.getloadavg()[0]
    before = memory.peak_bytes()
    clocks = memory.all_seconds(), memory.own_seconds(), time.perf_counter()
    result = timed()
    wall, cpu = time.perf_counter() - clocks[2], memory.own_seconds() - clocks[1]
    others = memory.all_seconds() - clocks[0] - cpu
    peak = memory.peak_bytes()
    if order["save"]:
        save(folder / order["name"], result)
    return {
        "wall": wall,
        "cpu": cpu,
        "others": max(others, 0.0),
        "load_average": load_average,
        "growth": (peak - before) / 1e6,
        "peak": peak / 1e6,
        "digest": digest(result),
    }


def compare(order: dict[str, Any]) -> dict[str, Any]:
    """Say how far two saved results are apart."""
    folder, own = Path(order["folder"]), path_of(order)
    ours, peer = (load(folder / name, mapped=True) for name in order["names"])
    tolerance = own.peers[order["peer"]].tolerance
    return own.agreement(ours, peer, tolerance)._asdict()


def save(folder: Path, arrays: path.Arrays) -> None:
    """Write arrays, a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / name, array)


def load(folder: Path, *, mapped: bool = False) -> path.Arrays:
    """Read arrays, or map their files into memory."""
    files = sorted(folder.glob("*.npy"))
    return {f.stem: np.load(f, mmap_mode="r" if mapped else None) for f in files}


def digest(arrays: path.Arrays) -> str:
    """Return a hash of arrays: the same result, the same hash."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(np.ascontiguousarray(arrays[name]).data)
    return total.hexdigest()[:16]


if __name__ == "__main__":
    main()
