"""What each part of the method does, by `dvc exp` runs: docs/ablation.md.

Run ``python -m benchmarks.ablation`` in a clone of its own: queues one experiment per
row, backbone and seed, runs them, and writes results/ablation.json here and the table
into docs/ablation.md. Cut off, it goes on with what has no result yet. A seed is that
of the dataset and of the training alike, so that rows can be compared run by run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from crosscam.files import write_bytes, write_json

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results/ablation.json"
DOCUMENT = ROOT / "docs/ablation.md"
METRIC = "metrics/evaluate.json"


class Row(NamedTuple):
    """A row of the table: what it is called, its recipe, what is set on top of it."""

    label: str
    recipe: str
    changes: tuple[str, ...] = ()


PLAIN, STYLES = "model.aibn=none", "model.tnorm=true"
DISTIL = ("distil.cross_entropy=1", "distil.triplet=1")
ROWS = {
    "fixed": Row("IICS, fixed counts, the backbone's own norms", "iics", (PLAIN,)),
    "quantile": Row("clusters by quantile", "iics-threshold", (PLAIN,)),
    "aibn": Row("… + AIBN", "iics-threshold"),
    "tnorm": Row("… + TNorm", "iics-threshold", (STYLES,)),
    "distil": Row("… + self-distillation", "iics-threshold", (STYLES, *DISTIL)),
    "iids": Row("**IIDS complete** (… no single images, μ0 = 0.01)", "iids"),
    "mu0": Row("IIDS, μ = 0", "iids", ("inter.mix.weight=0",)),
    "intra": Row(
        "IIDS, intra-camera stage alone",
        "iids",
        ("intra.rounds=9", "extract.checkpoint=intra.safetensors", "inter.rounds=1"),
    ),
    "inter": Row(
        "IIDS, inter-camera stage alone",
        "iids",
        ("intra.rounds=1", "intra.epochs=0", "inter.rounds=9"),
    ),
}
BACKBONES = {
    "resnet": (),
    "convnext": (
        "model.backbone=convnext_zepto_rms",
        "+model.options.ls_init_value=0.1",
    ),
}


def main() -> None:
    """Run all experiments that have no result yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--backbones", nargs="+", default=list(BACKBONES))
    parser.add_argument("--jobs", type=int, default=2, help="experiments at a time")
    parser.add_argument("--table-only", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table_only:
        keys = itertools.product(arguments.seeds, arguments.backbones, arguments.rows)
        missing = [key for key in keys if name_of(*key) not in known(RESULTS)]
        run(missing, arguments.jobs)
    insert("ablation", table(known(RESULTS)))


def known(path: Path) -> dict[str, Any]:
    """Return the results there are."""
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return results


def name_of(seed: int, backbone: str, row: str) -> str:
    """Return the name of an experiment."""
    return f"{row}-{backbone}-{seed}"


def run(keys: list[tuple[int, str, str]], jobs: int) -> None:
    """Queue experiments, run them, and write down what is done already."""
    call("dvc", "queue", "remove", "--all")
    for seed, backbone, row in keys:
        queue(seed, backbone, row)
    call("python", "-m", "recipes", "--force", "default")
    call("dvc", "queue", "start", "-j", str(jobs))
    names, busy = {name_of(*key) for key in keys}, True
    while busy:
        time.sleep(20)
        status = call("dvc", "queue", "status")
        busy = any(word in status for word in ("Queued", "Running"))
        found = metrics(json.loads(call("dvc", "exp", "show", "--json", "--no-pager")))
        done = {name: found[name] for name in names & set(found)}
        write_json(RESULTS, dict(sorted((known(RESULTS) | done).items())))
    sys.stdout.write(status)


def queue(seed: int, backbone: str, row: str) -> None:
    """Put one experiment into DVC's queue."""
    call("python", "-m", "recipes", "--force", ROWS[row].recipe, "synthetic")
    seeds = (f"seed={seed}", f"synthesize.seed={seed}")
    changes = (*BACKBONES[backbone], *ROWS[row].changes, *seeds)
    sets = [part for change in changes for part in ("-S", change)]
    name = name_of(seed, backbone, row)
    call("dvc", "exp", "run", "--queue", "--name", name, *sets)


def metrics(shown: list[dict[str, Any]]) -> dict[str, Any]:
    """Return name to metrics of all experiments that `dvc exp show` lists as done."""
    found = {}
    for revision in shown:
        for experiment in revision.get("experiments") or []:
            # One that runs still shows the metrics of the commit that it started from.
            if (experiment.get("executor") or {}).get("state") == "success":
                data = experiment["revs"][0]["data"]["metrics"][METRIC]["data"]
                found[experiment["name"]] = data
    return found


def call(*command: str) -> str:
    """Run a command of the environment in the repository and return its output."""
    folder = Path(sys.executable).parent
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    # Not through a pipe: the workers of the queue would hold it open while they live.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [str(folder / command[0]), *command[1:]],
            cwd=ROOT,
            env={**os.environ, "PATH": path, "OMP_WAIT_POLICY": "passive"},
            stdout=output,
            stderr=sys.stderr,
            check=False,
        )
        output.seek(0)
        text = output.read()
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{text}")
    return text


def insert(mark: str, lines: str) -> None:
    """Put a table between its marks in the document."""
    text, start, end = (
        DOCUMENT.read_text("utf-8"),
        f"<!-- {mark} -->\n",
        f"<!-- /{mark}",
    )
    before, rest = text.split(start)
    after = end + rest.split(end)[1]
    write_bytes(DOCUMENT, (before + start + lines + after).encode())


def table(results: dict[str, Any]) -> str:
    """Return mean ± standard deviation of mAP and rank-1, in percent, as Markdown."""
    lines = ["| | ResNet mAP | rank-1 | ConvNeXt mAP | rank-1 |"]
    lines.append("|---|--:|--:|--:|--:|")
    for row, (label, *_) in ROWS.items():
        cells = [
            spread([
                r[metric] for name, r in results.items() if of(name, row, backbone)
            ])
            for backbone in BACKBONES
            for metric in ("mAP", "rank1")
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    seeds = sorted({int(name.rpartition("-")[2]) for name in results})
    lines += ["", f"Percent, mean ± standard deviation; seeds {seeds}."]
    return "\n".join(lines) + "\n"


def of(name: str, row: str, backbone: str) -> bool:
    """Return whether an experiment's name belongs to a cell of the table."""
    return name.rpartition("-")[0] == f"{row}-{backbone}"


def spread(values: list[float]) -> str:
    """Return mean ± standard deviation in percent."""
    if len(values) < 2:
        return "—"
    percent = [100 * value for value in values]
    return f"{statistics.mean(percent):.1f} ± {statistics.stdev(percent):.1f}"


if __name__ == "__main__":
    main()
