"""What moves a byte of the pipeline's outputs, and by how much: docs/determinism.md.

Run ``python -m benchmarks.determinism``: runs all stages once as they are and once for
each variation, each in a folder of its own with a copy of the code, and writes
results/determinism.json here and the tables of docs/determinism.md. ``--recipe
default`` takes the default recipe in place of smoke, ``--only NAME …`` some of the
variations, ``--together`` runs them all at once.
Needs Linux, with setarch and localedef (util-linux, glibc).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.lab import ROOT, Lab, Ran
from benchmarks.moved import features_moved, labels_moved, mAP_moved
from benchmarks.variations import BASE, EQUAL, FOLDER, OTHER, together
from crosscam.experiment.tables import between_marks
from crosscam.files import write_bytes, write_json
from recipes.__main__ import build, texts

RESULTS = ROOT / "benchmarks/results/determinism.json"
DOCUMENT = ROOT / "docs/determinism.md"
RECIPES = ("smoke", "default")
Result = dict[str, Any]


def main() -> None:
    """Run what is asked for, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="smoke", choices=RECIPES)
    parser.add_argument("--only", nargs="+", default=[*EQUAL, *OTHER])
    parser.add_argument("--together", action="store_true", help="all in one run")
    parser.add_argument("--table-only", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table_only:
        names = arguments.only
        groups = [names] if arguments.together else [[name] for name in names]
        measure(arguments.recipe, groups)
    text = with_tables(DOCUMENT.read_text("utf-8"), known())
    write_bytes(DOCUMENT, text.encode())


def measure(recipe: str, groups: Sequence[Sequence[str]]) -> None:
    """Run variations of a recipe, and keep each result as soon as it is there.

    Those of a group run together. If that moves a byte, nobody knows which one did it,
    and nothing is kept.
    """
    os.umask(BASE.umask)
    with tempfile.TemporaryDirectory() as top, contextlib.chdir(ROOT):
        lab = Lab(Path(top), build(texts(), [recipe]))
        base = lab.run("base", BASE)
        for names in groups:
            result = outcome(lab, names, base)
            print(*names, result, flush=True)
            if len(names) == 1 or not result["differ"]:
                keep(recipe, names, result | {"together": len(names)})


def outcome(lab: Lab, names: Sequence[str], base: Ran) -> Result:
    """Return what became of some variations at once."""
    how = together([(EQUAL | OTHER)[name] for name in names])
    name = names[0]
    reference = lab.run("folder", FOLDER, base) if how.unpacks else base
    ran = lab.run(name, how, base if how.unpacks else None)
    expected, found = reference.md5s(), ran.md5s()
    paths = sorted(expected.keys() | found.keys())
    differ = [path for path in paths if expected.get(path) != found.get(path)]
    result = {"files": len(paths), "differ": differ}
    if name in OTHER:
        result |= apart(base, ran, lab.test(f"{name}-tested", how, base))
    for folder in lab.top.iterdir():
        if folder.name not in {"base", "locales"}:
            shutil.rmtree(folder)
    return result


def apart(base: Ran, ran: Ran, tested: Ran) -> Result:
    """Return how far a run is from the base, and its test of the base's network."""
    return {
        "mAP": mAP_moved(base.folder, ran.folder),
        "labels": labels_moved(base.folder, ran.folder),
        "time": round(ran.seconds / base.seconds, 2),
        "features_of_the_same_network": features_moved(base.folder, tested.folder),
        "mAP_of_the_same_network": mAP_moved(base.folder, tested.folder),
    }


def keep(recipe: str, names: Sequence[str], result: Result) -> None:
    """Add a result to the file, and what it was measured with."""
    results = known()
    results.setdefault(recipe, {}).update(dict.fromkeys(names, result))
    results["with"] = {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    write_json(RESULTS, results, digits=9)


def known() -> dict[str, Any]:
    """Return the results there are."""
    results: dict[str, Any] = (
        json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    )
    return results


def with_tables(text: str, results: dict[str, Any]) -> str:
    """Return the document with the tables of these results between its marks."""
    text = between_marks(text, "equal", equal_table(results["smoke"]))
    for recipe in filter(results.__contains__, RECIPES):
        text = between_marks(text, recipe, other_table(results[recipe]))
    return text


def equal_table(results: dict[str, Result]) -> str:
    """Return what must not matter and whether it did, as Markdown."""
    lines = ["| what | how | outputs |", "|---|---|---|"]
    for name, how in EQUAL.items():
        if name in results:
            cell = equality(results[name])
            lines.append(f"| {how.group} | {how.label} | {cell} |")
    return "\n".join(lines) + "\n"


def equality(result: Result) -> str:
    """Return in words how many files are the same."""
    if not result["differ"]:
        one = " (one run)" if result.get("together", 1) > 1 else ""
        return f"{result['files']} of {result['files']} equal{one}"
    return f"**differ**: {', '.join(result['differ'])}"


def other_table(results: dict[str, Result]) -> str:
    """Return how far apart runs come out, as Markdown."""
    lines = [
        "| what | how | features | mAP | pseudo labels | mAP anew | time |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name, how in OTHER.items():
        if name in results:
            cells = " | ".join(distances(results[name]))
            lines.append(f"| {how.group} | {how.label} | {cells} |")
    return "\n".join(lines) + "\n"


def distances(r: Result) -> list[str]:
    """Return the cells of a row: ``=`` where no byte moved."""
    features, differ = r["features_of_the_same_network"], r["differ"]
    return [
        f"{features:.0e}" if features else "=",
        moved(r["mAP_of_the_same_network"], bool(features)),
        f"{100 * r['labels']:.1f} %" if "data/pseudo/inter.npz" in differ else "=",
        moved(r["mAP"], "metrics/evaluate.json" in differ),
        f"× {r['time']:.2f}",
    ]


def moved(mAP: float, differs: bool) -> str:
    """Return a change of mAP in points."""
    return f"{100 * mAP:+.2f}" if differs else "="


if __name__ == "__main__":
    main()
