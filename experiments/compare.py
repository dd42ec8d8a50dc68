"""Draw runs into one picture: make compare REVS="main no-triplet workspace".

A run is a commit, branch or tag, the name of an experiment, or ``workspace``. Its CMC
curve and the quality of its pseudo labels by round are read from git.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from crosscam.draw.curves import Run, draw_curves
from crosscam.files import write_bytes
from experiments.revisions import read_files

METRICS = "metrics/evaluate.json"
CMC, LABELS = "plots/cmc.json", "plots/pseudo_labels.json"
DRAWN = {  # of each record
    METRICS: ("mAP", "mAP_low", "mAP_high"),
    CMC: ("rank", "cmc"),
    LABELS: ("step", "phase", "ari"),
}


class FilesError(ValueError):
    """A file that is damaged or lacks something; the message says what to do."""


def main(arguments: list[str]) -> None:
    """Run the command; every fault ends it with one message and status 1."""
    parser = argparse.ArgumentParser(prog="experiments.compare", description=__doc__)
    parser.add_argument("revisions", nargs="*")
    parser.add_argument("--out", type=Path, default=Path("reports/compare.png"))
    options = parser.parse_args(arguments)
    names = list(dict.fromkeys(options.revisions))
    if not names:
        raise SystemExit(
            'no runs to draw: name some, as in REVS="main my-experiment workspace"'
        )
    try:
        found = read_files(names, [METRICS, CMC, LABELS])
        pairs = zip(names, found, strict=True)
        picture = draw_curves([run_of(name, files) for name, files in pairs])
    except ValueError as error:
        raise SystemExit(str(error)) from None
    write_bytes(options.out, picture)
    sys.stdout.write(f"{options.out}\n")


def run_of(name: str, files: dict[str, bytes]) -> Run:
    """Return a run from its files.

    Raises
    ------
    FilesError
        If one is damaged, or lacks what is drawn of it, as that of older code may.
    """
    read = {path: records(name, path, files[path]) for path in DRAWN}
    return Run(name, read[METRICS][0], read[CMC], read[LABELS])


def records(name: str, path: str, data: bytes) -> list[dict[str, Any]]:
    """Return the records of a file of a run, each with all that is drawn of it.

    Raises
    ------
    FilesError
        As for `run_of`.
    """
    where = f"{name}: {path}"
    try:
        found = json.loads(data)
    except ValueError as error:
        raise FilesError(f"{where}: is damaged, {error}: name another run") from error
    every = found if isinstance(found, list) and path != METRICS else [found]
    for key in DRAWN[path]:
        if not all(isinstance(record, dict) and key in record for record in every):
            raise FilesError(f"{where}: has no {key}: name a run of this version")
    return every


if __name__ == "__main__":
    main(sys.argv[1:])
