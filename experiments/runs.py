"""DVC's queue: experiments with given parameters, run and read back by their names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

BUSY = ("queued", "running")
PATIENCE = 3  # looks at a queue that runs nothing
PARAMS, METRICS = "params.yaml", "metrics/evaluate.json"
Shown = dict[str, Any]  # of an experiment, by `dvc exp show`
# What an experiment's files are made of; what runs write is no part of it.
CODE = ("crosscam", "stages", "dvc.yaml", "requirements.txt")


class RunError(RuntimeError):
    """A run that was not possible or did not succeed, with the remedy."""


class Wanted(NamedTuple):
    """An experiment to be run.

    Parameters
    ----------
    name
        For `dvc exp` commands; taken once per commit.
    params
        The whole tree of its parameter file.
    changes
        What ``-S`` must set to get there from the workspace's.
    """

    name: str
    params: dict[str, Any]
    changes: list[str]


class Done(NamedTuple):
    """An experiment that has run: its parameters and the metrics of `evaluate`."""

    params: dict[str, Any]
    metrics: dict[str, Any]


def run_all(wanted: Sequence[Wanted], jobs: int, copied: Sequence[str]) -> list[Done]:
    """Return experiments in their order; those that have run are not run again.

    Parameters
    ----------
    wanted
        With names that differ.
    jobs
        How many run at a time.
    copied
        Files that git ignores and no stage makes, which every run needs.

    Raises
    ------
    RunError
        If one fails or goes, or a name is taken by one of other parameters.
    """
    check_committed()
    end_dead()
    shown = listed()
    taken, busy = have_run(shown), waiting(shown)
    check_params(wanted, busy | {name: done.params for name, done in taken.items()})
    missing = [one for one in wanted if one.name not in taken]
    for one in missing:
        if one.name not in busy:
            queue(one, copied)
    if missing:
        dvc("queue", "start", "--jobs", str(jobs))
        wait_for([one.name for one in missing], jobs)
        taken = ended(missing)
    return [taken[one.name] for one in wanted]


def check_params(wanted: Sequence[Wanted], known: Mapping[str, Any]) -> None:
    """Return if no name is taken by an experiment of other parameters.

    Parameters
    ----------
    wanted
        Experiments to be run, or that have run.
    known
        Parameters by name; None where DVC does not tell them.

    Raises
    ------
    RunError
        The message says what to do.
    """
    for one in wanted:
        if known.get(one.name) not in (None, one.params):
            raise RunError(
                f"experiment {one.name}: exists with other parameters: dvc exp remove "
                f"{one.name} (in the queue: dvc queue remove), or give these runs "
                "another --name"
            )


def ended(wanted: Sequence[Wanted]) -> dict[str, Done]:
    """Return all experiments on this commit that have run, these among them, by name.

    Raises
    ------
    RunError
        If one of these has failed, is gone, or is one of other parameters.
    """
    shown = listed()
    taken = have_run(shown)
    missing = [one.name for one in wanted if one.name not in taken]
    known = {experiment["name"]: state_of(experiment) for experiment in shown}
    if failed := [name for name in missing if known.get(name) == "failed"]:
        raise RunError(
            f"experiments failed: {', '.join(failed)}: see dvc queue logs {failed[0]}"
        )
    if missing:
        raise RunError(
            f"experiments are not on this commit: {', '.join(missing)}: HEAD has moved "
            "since, or they were removed: go back to that commit, or dvc queue remove "
            f"{missing[0]} if dvc queue status still has it, then repeat"
        )
    check_params(wanted, {name: done.params for name, done in taken.items()})
    return taken


def queue(one: Wanted, copied: Sequence[str]) -> None:
    """Put an experiment into DVC's queue."""
    sets = [part for change in one.changes for part in ("--set-param", change)]
    copies = [part for path in copied for part in ("--copy-paths", path)]
    # Up to evaluate, as `make repro`: other datasets need no synthetic one.
    dvc("exp", "run", "--queue", "--name", one.name, *sets, *copies, "evaluate")


def wait_for(names: Sequence[str], jobs: int) -> None:
    """Wait until none of these is queued or running, and say how it goes."""
    told, idle, seconds = "", 0, 5.0
    while True:
        known = states()
        now = [known.get(name, "starting") for name in names]
        counts = ", ".join(f"{now.count(state)} {state}" for state in sorted({*now}))
        if counts != told:
            sys.stderr.write(f"{len(names)} experiments: {counts}\n")
            told = counts
        if not any(state in (*BUSY, "starting") for state in now):
            return
        # One about to start is in no list for a moment; one removed, in none for good.
        idle = 0 if "running" in known.values() else idle + 1
        if idle == PATIENCE:
            if "queued" not in now:
                return
            # A worker takes itself for idle, and ends, where a busy machine answers it
            # too late: seen after the second of 54 experiments.
            dvc("queue", "start", "--jobs", str(jobs))
            idle = 0
        time.sleep(seconds)
        # Each look takes DVC two seconds of a core: a long wait needs fewer.
        seconds = min(1.2 * seconds, 60)


def end_dead() -> None:
    """Let the queue note that tasks have failed whose worker was killed.

    It shows them as running for good, and who waited for them would wait as long.
    """
    text = dvc("queue", "status")
    if "Running" in text and "Worker status: 0 active" in text:
        dvc("queue", "stop", "--kill")


def check_committed() -> None:
    """Raise `RunError` if code is not committed: its runs could not be told apart."""
    status = git("status", "--porcelain", "--", *CODE)
    if status.strip():
        changed = [line[3:] for line in status.splitlines()]
        raise RunError(f"not committed: {', '.join(changed)}: git commit, then repeat")


def found() -> dict[str, Done]:
    """Return all experiments on this commit that have run, by name."""
    return have_run(listed())


def have_run(shown: Sequence[Shown]) -> dict[str, Done]:
    """Return those that have run, by name.

    Parameters
    ----------
    shown
        By `listed`.
    """
    result = {}
    for experiment in shown:
        metrics = told_of(experiment, "metrics", METRICS)
        # One that runs still shows the metrics of the commit that it started from.
        if state_of(experiment) == "success" and metrics:
            result[experiment["name"]] = Done(params_of(experiment), metrics)
    return result


def waiting(shown: Sequence[Shown]) -> dict[str, Any]:
    """Return the parameters of those that are queued or running, by name.

    Parameters
    ----------
    shown
        By `listed`, so that none counts that was queued on another commit.
    """
    busy = [experiment for experiment in shown if state_of(experiment) in BUSY]
    return {experiment["name"]: params_of(experiment) for experiment in busy}


def state_of(experiment: Shown) -> str:
    """Return the state of an experiment; one that was never queued has run."""
    return str((experiment.get("executor") or {}).get("state", "success"))


def params_of(experiment: Shown) -> Any:
    """Return the parameter tree of an experiment, or None if it is not shown."""
    return told_of(experiment, "params", PARAMS)


def told_of(experiment: Shown, kind: str, path: str) -> Any:
    """Return what a file of an experiment holds, or None if it is not shown."""
    data = experiment["revs"][0].get("data") or {}
    return (data.get(kind) or {}).get(path, {}).get("data")


def states() -> dict[str, str]:
    """Return the state of every experiment that the queue has or had, by name.

    Of those of one name, on other commits, the first counts: running ones come first,
    then queued ones, then those that are over.
    """
    # Not from `dvc exp show`, which reads every experiment's files: 54 take it 10 s.
    rows = [re.split(r"\s{2,}", line) for line in dvc("queue", "status").splitlines()]
    return {row[1]: row[3].lower() for row in rows[:0:-1] if len(row) == 4}


def listed() -> list[Shown]:
    """Return what `dvc exp show` knows of the experiments on this commit."""
    for pause in (1, 4, None):
        try:
            shown = json.loads(dvc("exp", "show", "--json", "--no-pager"))
            break
        except RunError:
            # It fails when a run ends and removes its folder while it is looked at.
            if pause is None:
                raise
            time.sleep(pause)
    return [each for revision in shown for each in revision.get("experiments") or []]


def git(*arguments: str) -> str:
    """Run git in the current folder and return what it printed."""
    return _output(["git", *arguments])


def dvc(*arguments: str) -> str:
    """Run DVC in the current folder, stages by this Python, return what it printed."""
    return _output([sys.executable, "-m", "dvc", *arguments])


def _output(command: list[str]) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Not through a pipe: the workers of the queue would hold it open while they live.
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(  # noqa: S603 (our own commands, no shell)
            command,
            env={"OMP_WAIT_POLICY": "passive", **os.environ, "PATH": path},
            stdout=output,
            stderr=errors,
            check=False,
        )
        output.seek(0)
        errors.seek(0)
        if done.returncode:
            told = f"{output.read()}{errors.read()}".strip()
            raise RunError(f"{' '.join(command[-6:])}: failed: {told}")
        return output.read()
