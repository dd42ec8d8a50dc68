"""The ways to run the pipeline: how each starts, is repeated, and gives its results."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.faults.checks import status_troubles
from tests.faults.clone import CHANGES, EDITED, Clone, looks, md5, outputs, status_of
from tests.faults.processes import clear

NAME = "hit"
SETS = [part for k, v in CHANGES.items() for part in ("--set-param", f"{k}={v}")]


@dataclass
class Repro:
    """`dvc repro` with changed parameters."""

    clone: Clone
    limit: tuple[str, ...] = ()  # words in front of the command
    name = "dvc repro"
    must_repair = False  # before it is repeated after a kill
    process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Do once what precedes the command."""
        path, yaml = self.clone.folder / "params.yaml", YAML()
        params = yaml.load(path)
        for key, value in self.clone.changes.items():
            *groups, last = key.split(".")
            part: Any = params
            for group in groups:
                part = part[group]
            part[last] = value
        yaml.dump(params, path)

    def start(self) -> None:
        command = ["dvc", "repro", *self.clone.goal]
        self.process = self.clone.start([*self.limit, *command])

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait(self) -> int:
        """Return 0 if the command succeeded."""
        assert self.process
        return status_of(self.process)

    def settle(self) -> None:
        """Wait for the end of a command that was killed, or whose stage was."""
        # Also of a killed one: until it is waited for, it has a process number, and
        # DVC's locks count as held.
        self.wait()

    def end(self) -> None:
        """Kill all that is at work in the copy."""
        clear(self.clone.folder)
        if self.process:
            self.process.wait()

    def status(self) -> list[str]:
        """Return what is wrong with `dvc status`."""
        return status_troubles(self.clone)

    def repair(self) -> None:
        """Do what the documentation says before the command is repeated."""

    def finish(self) -> None:
        """Do what the documentation says after a command that was killed before."""

    def lock(self) -> str:
        """Return the dvc.lock of the results."""
        return self.clone.lock()

    def differing(self, reference: str) -> list[str]:
        """Return the outputs that are not those of another dvc.lock."""
        wanted, folder = outputs(reference), self.clone.folder
        files = {path: folder / path for path in wanted}
        found = {path: md5(f) if f.exists() else "" for path, f in files.items()}
        wrong = [path for path in wanted if found[path] != wanted[path]]
        return wrong + ["dvc.lock"] * (self.lock() != reference)


class ExpRun(Repro):
    """`dvc exp run` in the workspace; `dvc exp apply` once the experiment is there."""

    name = "dvc exp run"

    def prepare(self) -> None:
        pass

    def start(self) -> None:
        command = ["dvc", "exp", "run", "--name", NAME, *SETS]
        if experiment(self.clone):
            command = ["dvc", "exp", "apply", NAME]
        self.process = self.clone.start([*self.limit, *command])

    def repair(self) -> None:
        # One that has just started reads params.yaml as it is when it comes to it.
        pause = looks("the stage that outlived DVC does not end")
        while any(process.stage for process in self.clone.processes()):
            next(pause)
        self.clone.done("git", "checkout", "--quiet", "main")
        if (self.clone.folder / ".git/refs/stash").exists():
            # What DVC had put away is no part of the results; else `git stash pop`.
            self.clone.done("git", "checkout", "--quiet", "stash", "--", EDITED)
            self.clone.done("git", "reset", "--quiet", "--", EDITED)
            self.clone.done("git", "stash", "drop", "--quiet")

    finish = repair


@dataclass
class Queue(Repro):
    """`dvc exp run --queue` and `dvc queue start`, until the worker has done it."""

    noted: dict[Path, int] = field(default_factory=dict)
    name = "dvc queue"
    must_repair = True  # a task whose worker was killed is shown as running for good

    def prepare(self) -> None:
        if not experiment(self.clone):
            self.clone.done("dvc", "exp", "run", "--queue", "--name", NAME, *SETS)

    def start(self) -> None:
        self.process = self.clone.start([*self.limit, "dvc", "queue", "start"])

    def running(self) -> bool:
        assert self.process
        if self.process.poll() is None:
            return True
        return not experiment(self.clone) and any(
            p.is_dvc for p in self.clone.processes()
        )

    def wait(self) -> int:
        pause = looks("the queue does not end")
        while self.running():
            next(pause)
        return 0 if experiment(self.clone) else 1

    def settle(self) -> None:
        assert self.process
        status_of(self.process)
        pause = looks("dvc exec-run does not end")
        while any("exec-run" in p.command for p in self.clone.processes()):
            next(pause)

    def repair(self) -> None:
        self.clone.note(self.noted)  # before it is removed
        self.clone.done("dvc", "queue", "stop", "--kill")
        self.clone.done("dvc", "queue", "remove", "--all")
        self.prepare()

    def finish(self) -> None:
        self.clone.note(self.noted)

    def lock(self) -> str:
        return self.clone.done("git", "show", f"{experiment(self.clone)}:dvc.lock")

    def differing(self, reference: str) -> list[str]:
        objects, wanted = self.clone.objects(), outputs(reference)
        cached = {path: m for path, m in wanted.items() if not path.endswith(".json")}
        wrong = [path for path, name in cached.items() if objects.get(name) != name]
        return wrong + ["dvc.lock"] * (self.lock() != reference)


def experiment(clone: Clone) -> str:
    """Return git's name of the experiment; empty: it is not there yet."""
    git = clone.folder / ".git"
    # Not by Path.rglob, which raises where git removes a folder meanwhile.
    for folder, _, files in os.walk(git / "refs/exps"):
        if NAME in files:
            return (Path(folder) / NAME).relative_to(git).as_posix()
    return ""


COMMANDS = {kind.name: kind for kind in (Repro, ExpRun, Queue)}
