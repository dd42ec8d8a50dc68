"""Clusters by density of up to 500,000 images: time and memory of each step.

Run ``python -m benchmarks.sparse [--sizes 31250 125000 500000]``: synthetic features,
each size in a process of its own. Writes results/sparse.json here, docs/sparse.png and
the table in docs/performance.md.
All steps are exact, so that the nearest neighbours take N² / 2 products of 256 numbers:
seconds for 31,250 images, 10 to 20 minutes for 500,000 on two cores. The last take
some 5 GB. Needs Linux, which tells the peak of a process's memory since a moment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.hot.machine import processor
from crosscam.cluster.density import density_labels
from crosscam.cluster.neighbours import nearest_neighbours
from crosscam.cluster.quality import global_quality
from crosscam.cluster.sparse_jaccard import sparse_jaccard_distances
from crosscam.draw.curves import STYLES
from crosscam.draw.style import FAINT, house_style, png, with_palette
from crosscam.experiment.tables import between_marks
from crosscam.files import write_bytes, write_json
from crosscam.kernel import set_threads

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PICTURE = ROOT / "benchmarks/results/sparse.json", ROOT / "docs/sparse.png"
DOCUMENT = ROOT / "docs/performance.md"
HEAD = """\
| images | nearest neighbours, s | Jaccard distances, s | DBSCAN, s | all, s \
| peak, GB | a matrix of all pairs, GB | distances an image | clusters / people | ARI \
| outliers |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"""
SIZES = [31_250, 125_000, 500_000]
DIM, PER_PID, CAMERAS, RANK = 256, 20, 8, 32
K1, K2, EPS, MIN_SAMPLES = 30, 6, 0.6, 4  # SpCL
STEPS = {
    "neighbours": "nearest neighbours",
    "distances": "Jaccard distances",
    "clusters": "DBSCAN",
    "all": "all three",
}
Result = TypeVar("Result")


def main() -> None:
    """Measure each size, and write the results and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--one", action="store_true", help="in this process, as JSON")
    parser.add_argument("--keep", action="store_true", help="write no file")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.sizes[0], arguments.threads)))
        return
    records = []
    for size in arguments.sizes:
        own = ["--one", "--sizes", str(size), "--threads", str(arguments.threads)]
        command = [sys.executable, "-m", "benchmarks.sparse", *own]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
        records.append(json.loads(done.stdout))
        print(line(records[-1]), flush=True)
    if not arguments.keep:
        machine = {"cpu": processor(), "threads": arguments.threads}
        results = {**machine, "sizes": records}
        write_json(RESULTS, results)
        write_bytes(PICTURE, picture(records))
        write_bytes(DOCUMENT, with_table(DOCUMENT.read_text("utf-8"), results).encode())


def measured(num_images: int, threads: int) -> dict[str, Any]:
    """Return seconds and the peak of memory, in GB, of each step, and the quality."""
    threadpool_limits(threads)
    set_threads(threads)
    clustered(synthetic(300)[0])  # compiles
    features, pids = synthetic(num_images)
    labels, record = clustered(features)
    quality = global_quality(labels, pids)
    record["all_gb"] = max(record["all_gb"], peak_gb())  # the comparison's, too
    found = {"ari": quality.ari, "outliers": quality.outliers}
    counts = {"pids": len(np.unique(pids)), "clusters": quality.num_clusters}
    return {"images": num_images, **record, **found, **counts}


def synthetic(num_images: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return features of people, some alike, some varied, shifted by their cameras."""
    rng = np.random.default_rng(0)
    num_pids = max(num_images // PER_PID, 2)
    pids, camids = (
        rng.integers(0, num_pids, num_images),
        rng.integers(0, CAMERAS, num_images),
    )
    subspace = rng.standard_normal((RANK, DIM), np.float32) / np.float32(RANK**0.5)
    centres = rng.standard_normal((num_pids, RANK), np.float32) @ subspace
    shifts = np.float32(0.4) * rng.standard_normal((CAMERAS, DIM), np.float32)
    spreads = rng.uniform(0.4, 1.0, num_pids).astype(np.float32)
    features = np.empty((num_images, DIM), np.float32)
    for start in range(0, num_images, 2**16):
        rows = slice(start, start + 2**16)
        own = pids[rows]
        block = rng.standard_normal((len(own), DIM), np.float32) * spreads[own, None]
        block += centres[own] + shifts[camids[rows]]
        features[rows] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return features, pids


def clustered(
    features: NDArray[np.float32],
) -> tuple[NDArray[np.int32], dict[str, Any]]:
    """Return pseudo labels, and what each step took."""
    record: dict[str, Any] = {}

    def step(name: str, run: Callable[[], Result]) -> Result:
        # The peak of memory is set back to what is in use now.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        started = time.perf_counter()
        result = run()
        record[f"{name}_seconds"] = time.perf_counter() - started
        record[f"{name}_gb"] = peak_gb()
        return result

    neighbours, _ = step("neighbours", lambda: nearest_neighbours(features, K1 + 1))
    distances = step(
        "distances",
        lambda: sparse_jaccard_distances(features, neighbours, K1, K2, EPS),
    )
    labels = step("clusters", lambda: density_labels(distances, EPS, MIN_SAMPLES))
    record["all_seconds"] = sum(record[f"{name}_seconds"] for name in list(STEPS)[:3])
    record["all_gb"] = max(record[f"{name}_gb"] for name in list(STEPS)[:3])
    record["distances_per_image"] = distances.nnz / len(features)
    return labels, record


def peak_gb() -> float:
    """Return the most memory that this process has had since it was set back."""
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    fields = dict(row.split(":", 1) for row in status)
    return int(fields["VmHWM"].split()[0]) * 1024 / 1e9


def line(record: dict[str, Any]) -> str:
    """Return a record as it is printed."""
    steps = [
        f"{told} {record[f'{name}_seconds']:.2f} s, {record[f'{name}_gb']:.2f} GB"
        for name, told in STEPS.items()
    ]
    return (
        f"{record['images']:,} images: {'; '.join(steps)}; "
        f"{record['clusters']:,} clusters of {record['pids']:,} people, "
        f"ARI {record['ari']:.3f}, "
        f"{record['outliers']:.1%} outliers"
    )


def with_table(text: str, results: dict[str, Any]) -> str:
    """Return the document with the table of these results."""
    where = f"{results['cpu']}, {results['threads']} threads."
    rows = "".join(map(row, results["sizes"]))
    told = f"![Time and memory by the number of images]({PICTURE.name})\n"
    return between_marks(text, "sparse", f"{told}\n{HEAD}{rows}\n{where}\n")


def row(record: dict[str, Any]) -> str:
    """Return a record as a row of the table."""
    seconds = (f"{record[f'{name}_seconds']:,.1f}" for name in STEPS)
    found = f"{record['clusters']:,} / {record['pids']:,}"
    dense = 4 * record["images"] ** 2 / 1e9
    cells = (
        *(f"{record['images']:,}", *seconds),
        *(f"{record['all_gb']:.2f}", f"{dense:,.0f}"),
        *(f"{record['distances_per_image']:.0f}", found),
        *(f"{record['ari']:.3f}", f"{record['outliers']:.1%}"),
    )
    return f"| {' | '.join(cells)} |\n"


def picture(records: Sequence[dict[str, Any]]) -> bytes:
    """Return a PNG: time and memory by the number of images, on logarithmic axes."""
    sizes = [record["images"] for record in records]
    with house_style():
        figure = Figure(figsize=(9, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for (name, told), of in zip(STEPS.items(), STYLES, strict=False):
            colour, marker, dashes = of
            look = {
                "color": colour,
                "marker": marker,
                "linestyle": dashes,
                "label": told,
            }
            left.plot(sizes, [r[f"{name}_seconds"] for r in records], **look)
            if name != "all":
                right.plot(sizes, [r[f"{name}_gb"] for r in records], **look)
        dense = [4 * size**2 / 1e9 for size in sizes]
        right.plot(sizes, dense, color=FAINT, label="one matrix of all pairs")
        left.set(title="Time", ylabel="seconds")
        right.set(title="Memory of the process at its peak", ylabel="GB")
        for axes in (left, right):
            dress(axes, sizes)
        return with_palette(png(figure))


def dress(axes: Axes, sizes: Sequence[int]) -> None:
    """Make the axes logarithmic, with plain numbers, a grid and a legend."""
    axes.set(xscale="log", yscale="log", xlabel="images")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=FAINT, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


if __name__ == "__main__":
    main()
