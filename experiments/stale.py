"""Name the stages that `dvc status --json`, on standard input, tells to be stale.

A file that is merely missing makes no stage stale: images and features of people are in
no remote, and a fresh clone has none of them.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Print a Markdown list of them."""
    for name, changes in json.load(sys.stdin).items():
        if any(is_stale(change) for change in changes):
            sys.stdout.write(f"- `{name}`\n")


def is_stale(change: str | dict[str, dict[str, Any]]) -> bool:
    """Return whether a change is more than that files are missing.

    Parameters
    ----------
    change
        A word, such as "changed command", or files by kind, with "modified", "new" or
        "deleted" for each; for params.yaml the keys are in the place of that word.
    """
    if isinstance(change, str):
        return True
    return any(state != "deleted" for of in change.values() for state in of.values())


if __name__ == "__main__":
    main()
