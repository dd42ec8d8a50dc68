"""Every hot path beside what others ship: ``python -m benchmarks.hot``.

`make bench` runs this in an environment that has the peers. Prints the table, writes
results/hot_paths.json and docs/hot_paths.png, and puts the table into
docs/performance.md. ``--only NAME …`` takes some paths, ``--quick`` small sizes, of
which nothing is kept.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.hot import table
from benchmarks.hot.figure import draw
from benchmarks.hot.machine import QUIET, has, machine
from benchmarks.hot.measure import ROOT, Bench, measure
from benchmarks.hot.path import QUICK, Case
from benchmarks.hot.path import Path as HotPath
from crosscam.experiment.tables import between_marks
from crosscam.files import write_bytes, write_json

RESULTS = ROOT / "benchmarks/results/hot_paths.json"
DOCUMENT = ROOT / "docs/performance.md"
FIGURE = ROOT / "docs/hot_paths.png"
NAMES = (
    "reranking",
    "gallery_reranking",
    "gallery_reranking_from_features",
    "sparse_jaccard",
    "linkage",
    "density",
    "distance_quantile",
    "score_similarity",
    "ranking",
    "ranking_from_features",
    "image_cache",
    "camera_styles",
    "extraction",
    "training_step",
)
Results = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for, and show it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--quick", action="store_true", help="small sizes, not kept")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="folder with 10 GB of room")
    parser.add_argument("--table-only", action="store_true")
    asked = parser.parse_args(arguments)
    bench = Bench(asked.repeats, asked.threads, asked.scratch)
    if asked.quick:
        print(table.table(rows(measured(asked.only, bench, quick=True), quick=True)))
        return
    if not asked.table_only:
        measured(asked.only, bench, quick=False)
    results = known()
    print(table.table(rows(results)))
    text = with_table(DOCUMENT.read_text("utf-8"), results)
    write_bytes(DOCUMENT, text.encode())
    if results:
        write_bytes(FIGURE, draw(rows(results)))


def measured(names: Sequence[str], bench: Bench, *, quick: bool) -> Results:
    """Measure paths; what is not quick is kept as soon as it is there."""
    about, load = machine(bench.threads), os.getloadavg()[0]
    if load > QUIET:
        print(f"load average {load:.1f}: others are at work, times will be too long")
    results = {} if quick else known()
    for name in names:
        path = path_of(name)
        cases = {}
        for case in cases_of(path, quick=quick):
            print(f"{name}: {case.label}", file=sys.stderr, flush=True)
            if case.flag and not has(case.flag):
                print(
                    f"   left out: this processor has no {case.flag}", file=sys.stderr
                )
                continue
            cases[case.label] = measure(module_of(name), path, case, bench)
            for row in table.rows_of(path, (case,), cases):
                print("  ", *table.cells(row), sep=" | ", file=sys.stderr, flush=True)
        results[name] = {"machine": about, "cases": cases}
        if not quick:
            write_json(RESULTS, results)
    return results


def module_of(name: str) -> str:
    """Return the name of a path's module."""
    return f"benchmarks.hot.paths.{name}"


def path_of(name: str) -> HotPath:
    """Return a path by name."""
    path: HotPath = importlib.import_module(module_of(name)).PATH
    return path


def cases_of(path: HotPath, *, quick: bool) -> tuple[Case, ...]:
    """Return the sizes of a path, or a small one."""
    return (Case(QUICK, path.quick),) if quick else path.cases


def known() -> Results:
    """Return the results there are."""
    results: Results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return results


def rows(results: Results, *, quick: bool = False) -> list[table.Row]:
    """Return the rows of all paths there are results for."""
    paths = ((path_of(name), name) for name in NAMES if name in results)
    return [
        row
        for path, name in paths
        for row in table.rows_of(
            path, cases_of(path, quick=quick), results[name]["cases"]
        )
    ]


def with_table(text: str, results: Results) -> str:
    """Return the document with the figure and the table of these results."""
    if not results:
        return between_marks(text, "hot", "Not measured yet: `make bench`.\n")
    lines = [
        f"![Times beside those of peers]({FIGURE.name})\n",
        table.table(rows(results)),
        table.LEGEND,
        *dict.fromkeys(on(results[name]["machine"]) for name in results),
    ]
    return between_marks(text, "hot", "\n".join(lines))


def on(about: Results) -> str:
    """Return what was measured on, as a sentence."""
    versions = ", ".join(f"{name} {v}" for name, v in about["packages"].items())
    return (
        f"Measured on {about['date']}: {about['cpu']}, {about['threads']} of "
        f"{about['cores']} cores, {about['memory_gb']:g} GB, {about['system']}, "
        f"Python {about['python']}, {versions}.\n"
    )


if __name__ == "__main__":
    main()
