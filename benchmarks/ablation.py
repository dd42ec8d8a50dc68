"""What each part of the method does, by `dvc exp` runs: docs/ablation.md.

Run ``python -m benchmarks.ablation`` in a clone: queues one experiment per row,
backbone and seed, runs them, and writes results/ablation.json here and the table into
docs/ablation.md. Cut off, it goes on with what has not run; ``--collect`` writes what
there is; what results/ablation.json has already is not run again, on any machine. A
seed is that of the dataset and of the training alike, so that rows can be compared run
by run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from crosscam.experiment.overrides import overrides
from crosscam.experiment.spread import SpreadError, difference
from crosscam.experiment.tables import between_marks
from crosscam.files import write_bytes, write_json
from experiments.revisions import state
from experiments.runs import Wanted, found, run_all
from experiments.seeds import base_params, read

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results/ablation.json"
DOCUMENT = ROOT / "docs/ablation.md"


class Row(NamedTuple):
    """A row of the table: what it is called, its recipe, what is set on top of it."""

    label: str
    recipe: str
    changes: Mapping[str, Any] = MappingProxyType({})


PLAIN, STYLES = {"model.aibn": "none"}, {"model.tnorm": True}
DISTIL = {"distil.cross_entropy": 1.0, "distil.triplet": 1.0}
# As many epochs as both stages have together.
INTRA = {
    "intra.rounds": 9,
    "extract.checkpoint": "intra.safetensors",
    "inter.rounds": 1,
}
INTER = {"intra.rounds": 1, "intra.epochs": 0, "inter.rounds": 9}
ROWS = {
    "fixed": Row("IICS, fixed counts, the backbone's own norms", "iics", PLAIN),
    "quantile": Row("clusters by quantile", "iics-threshold", PLAIN),
    "aibn": Row("… + AIBN", "iics-threshold"),
    "tnorm": Row("… + TNorm", "iics-threshold", STYLES),
    "distil": Row("… + self-distillation", "iics-threshold", STYLES | DISTIL),
    "iids": Row("**IIDS complete** (… no single images, μ0 = 0.01)", "iids"),
    "mu0": Row("IIDS, μ = 0", "iids", {"inter.mix.weight": 0.0}),
    "intra": Row("IIDS, intra-camera stage alone", "iids", INTRA),
    "inter": Row("IIDS, inter-camera stage alone", "iids", INTER),
}
# What a part is worth: the row with it, the row without.
EFFECTS = {
    "clusters by quantile": ("quantile", "fixed"),
    "AIBN": ("aibn", "quantile"),
    "TNorm": ("tnorm", "aibn"),
    "self-distillation": ("distil", "tnorm"),
    "no single images, μ0 = 0.01": ("iids", "distil"),
    "μ": ("iids", "mu0"),
    "the intra-camera stage (both, beside inter alone)": ("iids", "inter"),
    "the inter-camera stage (both, beside intra alone)": ("iids", "intra"),
}
BACKBONES: dict[str, dict[str, Any]] = {
    "resnet": {},
    "convnext": {
        "model.backbone": "convnext_zepto_rms",
        "model.options": {"ls_init_value": 0.1},
    },
}


def main() -> None:
    """Run all experiments that have no result yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    parser.add_argument("--jobs", type=int, default=2, help="experiments at a time")
    parser.add_argument("--collect", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    keys = itertools.product(arguments.seeds, BACKBONES, ROWS)
    before = known(RESULTS)
    wanted = [one for key in keys if (one := experiment(*key)).name not in before]
    if not arguments.collect:
        run_all(wanted, arguments.jobs, [])
    names, commit = {one.name for one in wanted}, {"commit": state().commit}
    done = {n: one.metrics | commit for n, one in found().items() if n in names}
    write_json(RESULTS, dict(sorted((before | done).items())))
    insert("ablation", table(known(RESULTS)))
    insert("effects", effects(known(RESULTS)))


def experiment(seed: int, backbone: str, row: str) -> Wanted:
    """Return the experiment of a cell of the table, for one seed."""
    params = read(base_params([ROWS[row].recipe, "synthetic"]))
    seeds = {"seed": seed, "synthesize.seed": seed}
    for path, value in (BACKBONES[backbone] | {**ROWS[row].changes} | seeds).items():
        section, _, key = path.rpartition(".")
        place = params
        for part in filter(None, section.split(".")):
            place = place[part]
        place[key] = value
    current = read(Path("params.yaml").read_text("utf-8"))
    return Wanted(f"{row}-{backbone}-{seed}", params, overrides(current, params))


def known(path: Path) -> dict[str, Any]:
    """Return the results there are."""
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return results


def insert(mark: str, lines: str) -> None:
    """Put a table between its marks in the document."""
    text = between_marks(DOCUMENT.read_text("utf-8"), mark, lines)
    write_bytes(DOCUMENT, text.encode())


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


def effects(results: dict[str, Any]) -> str:
    """Return what each part adds to mAP, in points, with its interval, as Markdown."""
    lines = ["| mAP, points | ResNet | ConvNeXt |", "|---|--:|--:|"]
    for label, rows in EFFECTS.items():
        cells = [effect(results, backbone, *rows) for backbone in BACKBONES]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    note = "Mean of the differences by seed (95 % interval); bold: it leaves out 0."
    return "\n".join([*lines, "", note]) + "\n"


def effect(results: dict[str, Any], backbone: str, with_it: str, without: str) -> str:
    """Return how far two rows are apart, over the seeds that both have."""
    both = [
        {
            int(name.rpartition("-")[2]): 100 * r["mAP"]
            for name, r in results.items()
            if of(name, row, backbone)
        }
        for row in (without, with_it)
    ]
    try:
        (found, resolved, _) = difference(*both)
    except SpreadError:
        return "—"
    text = f"{found.mean:+.1f} ({found.low:+.1f} to {found.high:+.1f})"
    return f"**{text}**" if resolved else text


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
