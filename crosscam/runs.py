"""Where the states of runs lie, and how long: until DVC has noted the results.

A stage ends before DVC takes its outputs: hashes them, copies them into its cache and
writes dvc.lock. Where the disk is full then, or DVC is killed, the next `dvc repro`
deletes them and starts the stage again. From its last state that is done at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

from crosscam.files import write_json
from crosscam.locks import locked

MARK = "finished.json"
LOCK, CACHE = "dvc.lock", ".dvc/cache/files/md5"
# DVC runs experiments in folders of its own below this one, and deletes them after.
TEMPORARY = "/.dvc/tmp/exps/"


def runs_folder(workspace: Path) -> Path:
    """Return where the states of runs are kept: one place for a repository.

    Parameters
    ----------
    workspace
        Its root, or one of the folders in which DVC runs experiments. The environment
        variable ``CROSSCAM_RUNS`` names another place, for several repositories.
    """
    named = os.environ.get("CROSSCAM_RUNS")
    return Path(named) if named else workspace_runs(workspace)


def workspace_runs(workspace: Path) -> Path:
    """Return the same place, but the repository's own in any case.

    Parameters
    ----------
    workspace
        As for `runs_folder`.
    """
    return Path(workspace.resolve().as_posix().split(TEMPORARY)[0]) / ".runs"


def mark_finished(folder: Path, result: Path) -> None:
    """Note that a run has ended well; outside DVC, who notes nothing, remove it.

    Parameters
    ----------
    folder
        Of the run.
    result
        The output of the stage, in the current workspace, by which DVC's lock tells
        that it has been noted.
    """
    if "DVC_STAGE" not in os.environ:  # DVC sets it for all that it starts
        shutil.rmtree(folder)
        return
    with result.open("rb") as file:
        md5 = hashlib.file_digest(
            file, lambda: hashlib.md5(usedforsecurity=False)
        ).hexdigest()
    write_json(folder / MARK, {"lock": str(Path(LOCK).resolve()), "md5": md5})


def remove_noted(workspace: Path) -> None:
    """Remove the states of all runs whose results DVC has noted.

    Parameters
    ----------
    workspace
        One of those that share a folder of runs. Runs that a process holds are left.
    """
    runs = runs_folder(workspace)
    for mark in sorted(runs.glob(f"*/{MARK}")):
        folder = mark.parent
        with (
            suppress(BlockingIOError),
            locked(runs / f"{folder.name}.lock", wait=False),
        ):
            if _is_noted(folder):
                shutil.rmtree(folder)


def remove_if_noted_here(folder: Path) -> None:
    """Remove a run's state if DVC has noted its result in the current workspace.

    Whoever starts the stage again then wants it run again (`dvc repro --force`).

    Parameters
    ----------
    folder
        Of the run, which the caller holds.
    """
    if _is_noted(folder, Path(LOCK)):
        shutil.rmtree(folder)


def _is_noted(folder: Path, lock: Path | None = None) -> bool:
    """Return whether a lock, that of the run's workspace unless given, has its result.

    Where the workspace is gone, a temporary one of DVC's: whether DVC's cache has it,
    if that lies in the repository.
    """
    try:
        mark: dict[str, str] = json.loads((folder / MARK).read_text("utf-8"))
        own, md5 = Path(mark["lock"]), mark["md5"]
        if not (lock or own.parent.exists()):
            repository = Path(own.as_posix().split(TEMPORARY)[0])
            return (repository / CACHE / md5[:2] / md5[2:]).exists()
        return md5 in (lock or own).read_text("utf-8")
    except (OSError, KeyError, TypeError, ValueError):
        return False
