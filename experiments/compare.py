"""Draw runs into one picture: make compare REVS="main no-triplet workspace".

A run is a commit, branch or tag, the name of an experiment, or ``workspace``. Its CMC
curve and the quality of its pseudo labels by round are read from git.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from crosscam.draw.curves import Run, draw_curves
from crosscam.files import write_bytes
from experiments.revisions import read_files

METRICS = "metrics/evaluate.json"
CMC, LABELS = "plots/cmc.json", "plots/pseudo_labels.json"


def main(arguments: list[str]) -> None:
    """Run the command; every fault ends it with one message and status 1."""
    parser = argparse.ArgumentParser(prog="experiments.compare", description=__doc__)
    parser.add_argument("revisions", nargs="+")
    parser.add_argument("--out", type=Path, default=Path("reports/compare.png"))
    options = parser.parse_args(arguments)
    names = list(dict.fromkeys(options.revisions))
    try:
        found = read_files(names, [METRICS, CMC, LABELS])
        pairs = zip(names, found, strict=True)
        picture = draw_curves([run_of(name, files) for name, files in pairs])
    except ValueError as error:
        raise SystemExit(str(error)) from None
    write_bytes(options.out, picture)
    sys.stdout.write(f"{options.out}\n")


def run_of(name: str, files: dict[str, bytes]) -> Run:
    """Return a run from its files."""
    metrics, cmc, labels = (json.loads(files[path]) for path in (METRICS, CMC, LABELS))
    return Run(name, metrics, cmc, labels)


if __name__ == "__main__":
    main(sys.argv[1:])
