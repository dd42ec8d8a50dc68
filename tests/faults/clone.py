"""A copy of the repository in which a tiny run is committed, and commands in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from recipes.__main__ import build, texts
from tests.faults.processes import Process, at_work, clear
from tests.repository import ROOT, unignored

VENV = Path(sys.prefix)
# All parts of training, on the least network that has them.
RECIPE = """# The smallest run that has all parts: for the fault campaign
synthesize: {train_pids: 6, test_pids: 4}
model: {backbone: test_convnext, aibn: deep, tnorm: true}
distil: {cross_entropy: 1.0, triplet: 1.0}
intra: {rounds: 2, epochs: 3}
inter: {epochs: 3}
"""
CHANGES = {"seed": 11, "synthesize.seed": 11}  # what the runs that are hit differ in
EDITED, NOTES = "README.md", "notes.txt"  # what the user has not committed
EDIT = "\nA sentence that is not committed.\n"
PATIENCE = 1800  # seconds for a run that takes one minute on a quiet machine
PAUSE = 0.05  # seconds between two looks


class CommandError(RuntimeError):
    """A command that must succeed did not: no more can be done in its copy."""


class LateError(CommandError):
    """Something has not come, or not ended, within `PATIENCE`."""


class Ended(NamedTuple):
    """A command that has ended: its status and all that it printed."""

    status: int
    output: str


@dataclass(frozen=True)
class Clone:
    """A copy of the repository, beside DVC's settings and the log of its commands.

    Parameters
    ----------
    top
        Folder of both.
    goal
        Stage up to which the pipeline is run; none: all.
    changes
        Parameters in which the runs that are hit differ from the committed one.
    """

    top: Path
    goal: tuple[str, ...] = ()
    changes: Mapping[str, int | str] = field(default_factory=lambda: CHANGES)

    @property
    def folder(self) -> Path:
        return self.top / "clone"

    @property
    def log(self) -> Path:
        return self.top.with_suffix(".log")  # not in it: it may be full, or read-only

    def environment(self) -> dict[str, str]:
        settings, who = self.top / "settings", ("AUTHOR", "COMMITTER")
        return os.environ | {
            "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "OMP_WAIT_POLICY": "passive",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            "DVC_GLOBAL_CONFIG_DIR": str(settings / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(settings / "system"),
            "DVC_SITE_CACHE_DIR": str(settings / "cache"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{f"GIT_{each}_NAME": "test" for each in who},
            **{f"GIT_{each}_EMAIL": "test@test" for each in who},
        }

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command; what it prints is added to the log."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *command: str) -> Ended:
        """Run a command to its end."""
        before = self.log.stat().st_size if self.log.exists() else 0
        process = self.start(command)
        try:
            status = status_of(process)
        except LateError:
            clear(self.folder)  # and so it itself
            process.wait()
            raise
        return Ended(status, self.log.read_bytes()[before:].decode(errors="replace"))

    def done(self, *command: str) -> str:
        """Run a command that must succeed; return what it printed."""
        ended = self.run(*command)
        if ended.status:
            raise CommandError(f"{' '.join(command)}: failed: {ended.output}")
        return ended.output

    def processes(self) -> list[Process]:
        return at_work(self.folder)

    def told(self) -> str:
        """Return all that was printed."""
        return self.log.read_text(errors="replace")

    def note(self, known: dict[Path, int]) -> None:
        """Add what the runs of the queue have printed to the log.

        Parameters
        ----------
        known
            How much of each file was added before; kept up to date.
        """
        with self.log.open("a") as log:
            for path in sorted(self.folder.glob(".dvc/tmp/exps/run/*/*.out")):
                told = path.read_text(errors="replace")
                log.write(told[known.get(path, 0) :])
                known[path] = len(told)

    def copy(self, top: Path) -> Clone:
        shutil.copytree(self.top, top, symlinks=True, dirs_exist_ok=True)
        other = replace(self, top=top)
        other.log.touch()
        return other

    def remove(self) -> None:
        """Remove all but the folder itself, which may be a disk of its own."""
        for path in self.top.iterdir():
            shutil.rmtree(path)
        self.log.unlink()

    def lock(self) -> str:
        return (self.folder / "dvc.lock").read_text()

    def objects(self) -> dict[str, str]:
        """Return the md5s that the names of cached files say, and their own."""
        files = (self.folder / ".dvc/cache/files/md5").glob("[0-9a-f][0-9a-f]/*")
        named = {f.parent.name + f.name: f for f in files if len(f.name) == 30}
        return {name: md5(file) for name, file in named.items()}


def status_of(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process; return its status."""
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired as error:
        words = process.args if isinstance(process.args, list) else [process.args]
        command = " ".join(map(str, words))
        raise LateError(f"{command}: no end after {PATIENCE} s") from error


def looks(what: str) -> Iterator[None]:
    """Pause between two looks at something that must come or end."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        yield
        time.sleep(PAUSE)
    raise LateError(f"{what}: after {PATIENCE} s")


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def outputs(lock: str) -> dict[str, str]:
    """Return the md5 of every output that the text of a dvc.lock names."""
    stages = YAML(typ="safe", pure=True).load(lock)["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def prepared(clone: Clone, *until: str) -> Clone:
    """Make a copy of the repository in which a run is done and committed.

    Parameters
    ----------
    clone
        Where there is nothing yet.
    until
        Stage up to which it runs; none: all.
    """
    for path in unignored():
        if not path.startswith(".dvc-store/"):
            (clone.folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, clone.folder / path)
    (clone.folder / "dvc.lock").unlink(missing_ok=True)
    clone.done("git", "init", "--quiet", "--initial-branch=main")
    with contextlib.chdir(ROOT):
        params = build({**texts(), "faults": RECIPE}, ["smoke", "faults"])
    (clone.folder / "params.yaml").write_text(params)
    clone.done("dvc", "repro", *until)
    clone.done("git", "add", "--all")
    clone.done("git", "commit", "--quiet", "--message=run")
    with (clone.folder / EDITED).open("a") as file:
        file.write(EDIT)
    (clone.folder / NOTES).write_text(EDIT)
    return clone
