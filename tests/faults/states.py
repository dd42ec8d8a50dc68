"""States of training runs on disk, read without loading them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from crosscam.runs import MARK

TRAINING = ("intra", "inter")  # the stages that keep states


class State(NamedTuple):
    """How far a training run has come, as its file says.

    Parameters
    ----------
    stage
        Its name.
    epochs
        Done.
    finished
        Whether the stage has written its results; DVC may have noted them, or not.
    file
        Tells this file from the one that replaces it.
    """

    stage: str
    epochs: int
    finished: bool
    file: tuple[int, int]


def states(clone: Path) -> list[State]:
    """Return the states in a copy of the repository, in order of their folders."""
    return [*_found(clone / ".runs")]


def _found(runs: Path) -> Iterator[State]:
    for path in sorted(runs.glob("*/state.safetensors")):
        try:
            stat = path.stat()
            with safe_open(path, "numpy") as opened:
                about = json.loads(opened.metadata()["crosscam"])
        except (FileNotFoundError, SafetensorError):  # gone, as the run has ended
            continue
        yield State(
            path.parent.name.rpartition("-")[0],
            sum(len(epochs) for *_, epochs in about["rounds"]),
            (path.parent / MARK).exists(),
            (stat.st_ino, stat.st_mtime_ns),
        )
