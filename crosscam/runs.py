"""Where the states of runs lie, and how long: until DVC has noted the results.

A stage ends before DVC takes its outputs: hashes them, copies them into its cache and
writes dvc.lock. Where the disk is full then, or DVC is killed, the next `dvc repro`
deletes them and starts the stage again. From its last state that is done at once.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from crosscam.files import write_json
from crosscam.locks import locked

log = logging.getLogger(__name__)

MARK = "finished.json"
LOCK = "dvc.lock"
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
    lock = Path(LOCK).resolve()
    mark = {"lock": str(lock), "written": _written(lock), "md5": md5}
    write_json(folder / MARK, mark)


def remove_noted(workspace: Path) -> None:
    """Remove the states of all runs whose results DVC has noted.

    Runs that a process holds are left alone, and what cannot be removed is told: it
    keeps no stage from running.

    Parameters
    ----------
    workspace
        One of those that share a folder of runs.
    """
    runs = runs_folder(workspace)
    for mark in sorted(runs.glob(f"*/{MARK}")):
        folder = mark.parent
        try:
            with locked(runs / f"{folder.name}.lock", wait=False):
                if _is_noted(folder):
                    _remove(folder)
        except BlockingIOError:
            continue
        except OSError as error:
            log.warning("%s: is of no use any more, and stays: %s", folder, error)


def _remove(folder: Path) -> None:
    """Remove a run, its mark last: cut off, it can be removed the next time."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name == MARK):
        path.unlink()
    folder.rmdir()


def _is_noted(folder: Path) -> bool:
    """Return whether DVC has written a run's result into the lock of its workspace.

    After the run has ended, as the lock can have the same result from an earlier one,
    of other code say. DVC writes the file anew each time. Where the workspace is gone,
    a temporary one of DVC's: whether its cache has it.
    """
    try:
        mark: dict[str, Any] = json.loads((folder / MARK).read_text("utf-8"))
        lock, md5 = Path(mark["lock"]), mark["md5"]
        if not lock.parent.exists():
            repository = Path(lock.as_posix().split(TEMPORARY)[0])
            cached = _cache(repository) / "files/md5" / str(md5)[:2] / str(md5)[2:]
            return cached.exists()
        listed: bool = md5 in lock.read_text("utf-8")
        return listed and _written(lock) != mark["written"]
    except (OSError, KeyError, TypeError, ValueError):
        return False


def _cache(repository: Path) -> Path:
    """Return the folder of DVC's cache, as the repository's own settings name it."""
    settings = configparser.ConfigParser(strict=False, interpolation=None)
    own = repository / ".dvc"
    with suppress(configparser.Error):
        settings.read([own / "config", own / "config.local"], "utf-8")
    return own / settings.get("cache", "dir", fallback="cache")


def _written(lock: Path) -> int:
    """Return when a file was last written, in nanoseconds; 0 if it is not there."""
    return lock.stat().st_mtime_ns if lock.exists() else 0
