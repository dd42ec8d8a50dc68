"""Each implementation in a fresh interpreter, in turns, on the same inputs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.hot.path import Case, Implementation
from benchmarks.hot.path import Path as HotPath
from benchmarks.hot.worker import ANSWER

ROOT = Path(__file__).resolve().parents[2]
LONG = 120  # seconds: what takes longer is run once
LIMIT = 3600  # seconds, after which a process is ended
# Others' processor seconds during a run, as a part of its length; the system counts
# them in hundredths.
DISTURBED, COUNTED = 0.1, 0.02
THREADS = (
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
Result = dict[str, Any]


class Bench(NamedTuple):
    """How measurements are made.

    Attributes
    ----------
    repeats
        Of each implementation; medians count.
    threads
        Of everything that can have several.
    scratch
        Folder for inputs and results, up to 10 GB at a time; None: the system's.
    """

    repeats: int
    threads: int
    scratch: Path | None = None


def measure(module: str, path: HotPath, case: Case, bench: Bench) -> Result:
    """Run all implementations of a case in turns, and compare their results.

    Parameters
    ----------
    module
        Name of the path's module.
    path, case
        What to measure.
    bench
        How.

    Returns
    -------
    dict
        ``ours`` and ``peers`` by name, each as `summary` returns it, and the
        ``agreement`` with each peer that came to a result.
    """
    with tempfile.TemporaryDirectory(dir=bench.scratch) as top:
        order = {
            "module": module,
            "inputs": case.values,
            "warm": path.warm(*case.values),
            "folder": top,
        }
        if fault := carried_out(order | {"do": "inputs"}, bench).get("error"):
            return {"error": fault}
        peers = [name for name, peer in path.peers.items() if peer.does(case)]
        runs = interleaved(order, ["ours", *peers], bench)
        found = {
            name: summary(path.implementation(name), case, runs[name]) for name in runs
        }
        return {
            "ours": found["ours"],
            "peers": {name: found[name] for name in peers},
            "agreement": agreements(order, path, found, bench),
        }


def interleaved(
    order: Mapping[str, Any], names: Sequence[str], bench: Bench
) -> dict[str, list[Result]]:
    """Return the runs of each implementation: a, b, a, b, … as load comes and goes."""
    runs: dict[str, list[Result]] = {name: [] for name in names}
    for repeat in range(bench.repeats):
        for name, done in runs.items():
            if done and ("error" in done[-1] or done[-1]["wall"] > LONG):
                continue
            compared = repeat == 0 and len(names) > 1
            wanted = {"do": "run", "name": name, "save": compared}
            done.append(carried_out({**order, **wanted}, bench))
    return runs


def agreements(
    order: Mapping[str, Any], path: HotPath, found: Mapping[str, Result], bench: Bench
) -> Result:
    """Compare ours with each peer, or who stands for them in the check."""
    result = {}
    for peer in found.keys() - {"ours"}:
        if "error" in found["ours"] or "error" in found[peer]:
            continue
        names = path.checks.get(peer, ("ours", peer))
        run = {**order, "do": "run", "save": True}
        extra = [carried_out(run | {"name": n}, bench) for n in names if n not in found]
        faults = [answer for answer in extra if "error" in answer]
        asked = {**order, "do": "compare", "peer": peer, "names": names}
        result[peer] = faults[0] if faults else carried_out(asked, bench)
        for name in set(names) - found.keys():
            shutil.rmtree(Path(order["folder"]) / name, ignore_errors=True)
    return result


def carried_out(order: Mapping[str, Any], bench: Bench) -> Result:
    """Return a worker's answer; if it has none, how it ended is the error."""
    answer = Path(order["folder"]) / ANSWER
    answer.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.hot.worker", json.dumps(order)]
    environment = {**os.environ, **dict.fromkeys(THREADS, str(bench.threads))}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment | {"OMP_WAIT_POLICY": "passive"},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {LIMIT} s"}
    if answer.exists():
        told: Result = json.loads(answer.read_text("utf-8"))
        return told
    if done.returncode < 0:
        return {"error": f"ended by {signal.Signals(-done.returncode).name}"}
    return {"error": done.stderr.strip().rpartition("\n")[2]}


def summary(implementation: Implementation, case: Case, runs: list[Result]) -> Result:
    """Return the medians over runs, and what has to be known beside them.

    Returns
    -------
    dict
        ``wall`` and ``cpu``, seconds of the whole work; ``growth`` and ``peak``, MB;
        ``part`` of the work that was done; ``runs``; ``disturbed``, how many of them
        other programs took a part in; ``same``, whether all came to the same bytes;
        or ``error``.
    """
    if fault := next((run["error"] for run in runs if "error" in run), None):
        return {"label": implementation.label, "error": fault}
    part = implementation.part(*case.values)
    medians = {key: statistics.median(each) for key, each in columns(runs)}
    return {
        "label": implementation.label,
        "wall": medians["wall"] / part,
        "cpu": medians["cpu"] / part,
        "growth": medians["growth"],
        "peak": medians["peak"],
        "part": part,
        "same": len({run["digest"] for run in runs}) == 1,
        "disturbed": sum(
            run["others"] > max(COUNTED, DISTURBED * run["wall"]) for run in runs
        ),
        "runs": [{k: v for k, v in run.items() if k != "digest"} for run in runs],
    }


def columns(runs: list[Result]) -> Iterator[tuple[str, list[float]]]:
    """Yield what was measured, with its value in each run."""
    for key in ("wall", "cpu", "growth", "peak"):
        yield key, [run[key] for run in runs]
