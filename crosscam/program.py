"""A stage that does not train as a program: alone, and with one line if it fails.

Without torch, whose start would take longer than most of these stages.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crosscam.locks import locked
from crosscam.runs import workspace_runs


@contextmanager
def as_program(stage: str, *errors: type[Exception]) -> Iterator[None]:
    """Log, be `alone`, and end with one line where an error says what to do.

    That of a file that is not there says so.

    Parameters
    ----------
    stage
        Its name.
    errors
        Those that say what to do; any other comes with its traceback.

    Raises
    ------
    SystemExit
        With the line.
    """
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    try:
        with alone(stage):
            yield
    except FileNotFoundError as error:
        told = f"{error.filename}: no such file: run dvc repro"
        raise SystemExit(told if error.filename else str(error)) from None
    except errors as error:
        raise SystemExit(str(error)) from None


@contextmanager
def alone(stage: str, workspace: Path | None = None) -> Iterator[None]:
    """Hold a stage in a workspace: another process at the same one is waited for.

    A stage outlives DVC where that is killed alone. It would write over what the next
    `dvc repro` makes, perhaps with other parameters.

    Parameters
    ----------
    stage
        Its name.
    workspace
        Where its results go; None: the current folder.
    """
    workspace = workspace or Path.cwd()
    place = zlib.crc32(str(workspace).encode())
    with locked(workspace_runs(workspace) / f"{stage}-{place:08x}.lock"):
        yield
