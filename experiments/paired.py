"""Compare two recipes over the same seeds: ``make paired A=iics B=iids``.

Reads what `make seeds` wrote of both. Pairs of equal seeds are compared, which shows
smaller differences than two means with their spreads.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from crosscam.experiment.spread import SpreadError
from crosscam.experiment.tables import of_checkpoint, paired_table
from experiments.seeds import FOLDER, LAST

ABOUT = {"name", "archive", "revision", "runs"}
OF_RUN = {"seed", "checkpoint", "metrics"}


def main(arguments: list[str]) -> None:
    """Run the command; every fault ends it with one message and status 1."""
    parser = argparse.ArgumentParser(prog="experiments.paired", description=__doc__)
    parser.add_argument("names", nargs="*", help="two in reports/seeds, or files")
    parser.add_argument("--checkpoint", default=LAST, metavar="FILE")
    options = parser.parse_args(arguments)
    if len(options.names) != 2:
        raise SystemExit(
            f"two names of make seeds are compared, got {len(options.names)}: "
            "give both, as in A=iics-synthetic B=iids-synthetic"
        )
    both = [load(name) for name in options.names]
    if len({part["archive"] for part in both}) > 1:
        archives = ", ".join(f"{part['name']}: {part['archive']}" for part in both)
        raise SystemExit(
            f"the datasets differ: {archives}: compare runs on the same one"
        )
    try:
        runs = [of_checkpoint(part["runs"], options.checkpoint) for part in both]
        sys.stdout.write(paired_table([part["name"] for part in both], runs))
    except SpreadError as error:
        raise SystemExit(str(error)) from None
    if len({part["revision"] for part in both}) > 1:
        commits = ", ".join(f"{part['name']} {part['revision'][:7]}" for part in both)
        sys.stdout.write(
            f"\nThe runs are of two commits ({commits}): code may differ.\n"
        )


def load(name: str) -> dict[str, Any]:
    """Return what `make seeds` wrote under a name."""
    path = Path(name) if name.endswith(".json") else FOLDER / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.json"))) or "none yet"
        raise SystemExit(f"{path}: not there; known are {known}: make seeds makes them")
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
        whole = data.keys() >= ABOUT and all(map(is_whole, data["runs"]))
    except (AttributeError, TypeError, ValueError):  # no JSON, or another kind of it
        whole = False
    if not whole:
        raise SystemExit(
            f"{path}: is damaged, or was not written by make seeds: remove it and let "
            "make seeds write it again"
        )
    return data


def is_whole(run: dict[str, Any]) -> bool:
    """Return whether a run has all that is compared."""
    return run.keys() >= OF_RUN and "mAP" in run["metrics"]


if __name__ == "__main__":
    main(sys.argv[1:])
