"""Name the stages that `dvc status --json`, on standard input, tells to be stale.

A file that is merely missing makes no stage stale: images and features of people are in
no remote, and a fresh clone has none of them. ``--missing`` names the other stages, as
far as they lack an output and so have to run all the same.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

# DVC's words, the second for an output that is neither here nor in its cache.
MISSING = {"deleted", "not in cache"}
Change = str | dict[str, dict[str, Any]]


def main(arguments: list[str]) -> None:
    """Print a Markdown list of them."""
    for name, changes in json.load(sys.stdin).items():
        stale = any(map(is_stale, changes))
        lacks = any(map(lacks_outputs, changes)) and not stale
        if lacks if "--missing" in arguments else stale:
            sys.stdout.write(f"- `{name}`\n")


def is_stale(change: Change) -> bool:
    """Return whether a change is more than that files are missing.

    Parameters
    ----------
    change
        A word, such as "changed command", or files by kind, with "modified", "new",
        "deleted" or "not in cache" for each; for params.yaml the keys are in the place
        of that word.
    """
    if isinstance(change, str):
        return True
    states = [state for files in change.values() for state in files.values()]
    return any(isinstance(state, dict) or state not in MISSING for state in states)


def lacks_outputs(change: Change) -> bool:
    """Return whether a change is that of outputs, and some are missing.

    Parameters
    ----------
    change
        As for `is_stale`.
    """
    if isinstance(change, str):
        return False
    return not MISSING.isdisjoint(change.get("changed outs", {}).values())


def archive() -> str:
    """Return the dataset's archive, read from params.yaml as DVC reads it."""
    params = YAML(typ="safe", pure=True).load(Path("params.yaml"))
    return str(params["archive"])


if __name__ == "__main__":
    main(sys.argv[1:])
