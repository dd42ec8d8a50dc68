"""Whether anything is at work in this clone that would write what is removed."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from crosscam.files import is_alive
from experiments.given import CleanError
from experiments.runs import states

PROC = Path("/proc")


def check_idle(temporary: Path) -> None:
    """Return if neither DVC nor a stage that outlived it is at work here.

    Parameters
    ----------
    temporary
        DVC's folder for the like, with its locks.

    Raises
    ------
    CleanError
        Else; the message names the processes.
    """
    running = [name for name, state in states().items() if state == "running"]
    file = temporary / "rwlock"
    text = file.read_text() if file.exists() else ""
    pids = {int(pid) for pid in re.findall(r'"pid": (\d+)', text)}
    running += [f"process {pid}" for pid in sorted(pids) if is_alive(pid)]
    if running:
        raise CleanError(
            f"DVC is at work ({', '.join(running)}): nothing was removed: "
            "dvc queue kill, or wait, then repeat"
        )
    # A stage that trains holds a lock there as well where CROSSCAM_RUNS names another
    # folder, which clones may share.
    if found := {**orphans(), **held(Path(".runs"))}:
        raise CleanError(
            f"a stage is at work ({', '.join(found.values())}), though no DVC is: "
            f"nothing was removed: kill {' '.join(found)}, or wait, then repeat"
        )


def held(folder: Path) -> dict[str, str]:
    """Return the locks that a living process holds, of training stages.

    Parameters
    ----------
    folder
        Of the lock files, in which crosscam.locks writes who holds them.

    Returns
    -------
    dict
        By process number, in words.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.lock")):
        # Gone since it was listed, or another user's: then not of a run that is here.
        with suppress(FileNotFoundError, PermissionError), path.open() as file:
            try:
                # Shared, so that two who look do not see each other.
                fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = file.read().strip() or "unknown"
                found[holder.split()[0]] = f"process {holder} holds {path}"
    return found


def orphans() -> dict[str, str]:
    """Return the stages whose current folder lies in this clone, by process number.

    Those that do not train hold no lock. Needs Linux; else there are none.
    """
    return {number: f"process {number}: {name}" for number, name in _stages(Path.cwd())}


def _stages(clone: Path) -> Iterator[tuple[str, str]]:
    for entry in sorted(PROC.glob("[0-9]*")):
        with suppress(OSError):  # it has ended, or is another user's
            if (entry / "cwd").readlink().is_relative_to(clone):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                names = [word.decode(errors="replace") for word in words]
                if stage := next((n for n in names if n.startswith("stages.")), ""):
                    yield entry.name, stage
