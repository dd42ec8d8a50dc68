"""The main rows of the ablation on real images: the market1501-window recipe.

Run ``python -m benchmarks.window`` in a clone of its own, with the archive and
models/weights/mobilenetv2_100.safetensors in place, weights from TensorFlow: runs one
experiment per row, one after the other (half an hour to two hours each on one core),
and writes results/window.json and the second table of docs/ablation.md. Cut off, it
goes on with what has no result yet, a run after its last whole epoch; its minutes are
then of the last part alone, and in the results but not in the table.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from benchmarks.ablation import DISTIL, ROOT, STYLES, Row, insert, known
from crosscam.files import write_json
from experiments.revisions import state
from experiments.runs import METRICS, dvc
from recipes import __main__ as recipes

RESULTS = ROOT / "benchmarks/results/window.json"
RECIPE = "market1501-window"
WEIGHTS = {
    "weights": "mobilenetv2_100.safetensors",
    "+model.options.pad_type": "same",
}
# The pretrained network's statistics are those of batches. mAP before any training (700
# queries): 5.1 with its own norms, 1.6 from the published share of 0.1, 7.1 from 0.9.
AIBN = {"model.aibn": "deep", "model.aibn_mix": 0.9}
LAST = {
    "intra.clusters.min_size": 2,
    "inter.clusters.min_size": 2,
    "inter.mix.weight": 0.01,
}
ROWS = {
    "fixed": Row("IICS, the backbone's own norms", RECIPE),
    "untrained": Row(
        "the same before training", RECIPE, {"extract.checkpoint": "none"}
    ),
    "aibn": Row("… + AIBN", RECIPE, AIBN),
    "tnorm": Row("… + TNorm", RECIPE, AIBN | STYLES),
    "iids": Row(
        "… + self-distillation, no single images, μ0 = 0.01 (IIDS, by count)",
        RECIPE,
        AIBN | STYLES | DISTIL | LAST,
    ),
}


def main() -> None:
    """Run the rows that have no result yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--table-only", action="store_true")
    arguments = parser.parse_args()
    for name in [] if arguments.table_only else arguments.rows:
        if name not in known(RESULTS):
            write_json(RESULTS, known(RESULTS) | {name: measured(ROWS[name])})
    insert("window", table(known(RESULTS)))


def measured(row: Row) -> dict[str, Any]:
    """Return the metrics of one row's run, its minutes and the commit."""
    recipes.main(["--force", row.recipe])
    sets = [
        part
        for key, value in (WEIGHTS | {**row.changes}).items()
        for part in ("-S", f"{key}={value}")
    ]
    start = time.perf_counter()
    dvc("exp", "run", *sets)
    minutes = (time.perf_counter() - start) / 60
    found: dict[str, Any] = json.loads((ROOT / METRICS).read_text())
    about = {"minutes": round(minutes, 1), "commit": state().commit}
    return found | about


def table(results: dict[str, Any]) -> str:
    """Return mAP with its interval, rank-1 and mINP as Markdown."""
    lines = ["| | mAP (95 %) | rank-1 | mINP |", "|---|--:|--:|--:|"]
    for name, (label, *_) in ROWS.items():
        if name in results:
            r = results[name]
            low, high = 100 * r["mAP_low"], 100 * r["mAP_high"]
            cells = (
                f"{100 * r['mAP']:.1f} ({low:.1f} to {high:.1f})",
                *(f"{100 * r[metric]:.1f}" for metric in ("rank1", "mINP")),
            )
            lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
