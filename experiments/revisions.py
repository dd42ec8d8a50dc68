"""Files of revisions: of commits, branches, tags, DVC experiments, and the workspace.

git alone answers: `dvc exp show` takes a second and more.
"""

from __future__ import annotations

import difflib
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

WORKSPACE = "workspace"
# refs/exps/ab/cdef…/NAME: an experiment that started from the commit abcdef…
EXPERIMENT = re.compile(r"refs/exps/([0-9a-f]{2}/[0-9a-f]{38})/(.+)")
NUM_LISTED = 20  # in an error
Experiments = dict[str, dict[str, str]]


class RevisionError(ValueError):
    """Names of no revision, or files that one does not have; a line per fault."""


class State(NamedTuple):
    """What is checked out.

    Attributes
    ----------
    commit
        Its whole name.
    date
        The commit's, as in 2026-11-22.
    changed
        Tracked files that differ from it.
    """

    commit: str
    date: str
    changed: list[str]


def read_files(names: Sequence[str], paths: Sequence[str]) -> list[dict[str, bytes]]:
    """Return for each revision its files by path, relative to the current folder.

    Parameters
    ----------
    names
        Whatever git takes for a commit; names of experiments; ``workspace``.
    paths
        Of files.

    Raises
    ------
    RevisionError
        If a name means no revision or several, or a revision lacks a file.
    """
    commits = resolve(names)
    faults, found = [], []
    for name, commit in zip(names, commits, strict=True):
        files = _in_folder(paths) if commit is None else _in_commit(commit, paths)
        found.append(files)
        if missing := [path for path in paths if path not in files]:
            faults.append(f"{name}: has no {', '.join(missing)}: name a finished run")
    if faults:
        raise RevisionError("\n".join(faults))
    return found


def resolve(names: Sequence[str]) -> list[str | None]:
    """Return the commit of each revision, None for the workspace.

    Of experiments of one name, that on the current commit is meant.

    Raises
    ------
    RevisionError
        If a name means no revision, with the nearest one, or several.
    """
    experiments = _experiments()
    faults, commits = [], []
    for name in names:
        known = [*experiments.get(name, {}).values()]
        commit = None if name == WORKSPACE else _commit(name)
        if name != WORKSPACE and commit is None:
            here = experiments.get(name, {}).get(_commit("HEAD") or "")
            commit = here or (known[0] if len(known) == 1 else None)
            if commit is None:
                faults.append(_unknown(name, known, experiments))
        commits.append(commit)
    if faults:
        raise RevisionError("\n".join(faults))
    return commits


def state() -> State:
    """Return what is checked out in the current folder.

    Raises
    ------
    RevisionError
        If there is no commit.
    """
    commit = _commit("HEAD")
    if commit is None:
        raise RevisionError("HEAD: there is no commit here: git init, git commit")
    lines = _git("status", "--porcelain", "--untracked-files=no").splitlines()
    date = _git("show", "--no-patch", "--format=%cs", commit).strip()
    return State(commit, date, [line[3:] for line in lines])


def _experiments() -> Experiments:
    """Return commits of experiments by their name and the commit they started from."""
    form = "--format=%(objectname) %(refname)"
    found: Experiments = {}
    for line in _git("for-each-ref", form, "refs/exps").splitlines():
        commit, _, ref = line.partition(" ")
        if match := EXPERIMENT.fullmatch(ref):
            found.setdefault(match[2], {})[match[1].replace("/", "")] = commit
    return found


def _unknown(name: str, known: list[str], experiments: Experiments) -> str:
    if known:
        commits = ", ".join(commit[:10] for commit in known)
        return f"{name}: means {len(known)} experiments: name a commit, of {commits}"
    form = "--format=%(refname:short)"
    named = _git("for-each-ref", form, "refs/heads", "refs/tags").split()
    every = [WORKSPACE, *sorted(experiments), *named]
    near = difflib.get_close_matches(name, every, n=1)
    listed = ", ".join(every[:NUM_LISTED]) + ", …" * (len(every) > NUM_LISTED)
    hint = f"did you mean {near[0]!r}? known" if near else "known"
    return f"{name}: there is no such revision, {hint} are {listed}"


def _commit(name: str) -> str | None:
    options = ("--verify", "--quiet", "--end-of-options")
    return _git("rev-parse", *options, f"{name}^{{commit}}").strip() or None


def _in_folder(paths: Sequence[str]) -> dict[str, bytes]:
    return {path: Path(path).read_bytes() for path in paths if Path(path).is_file()}


def _in_commit(commit: str, paths: Sequence[str]) -> dict[str, bytes]:
    files = {}
    for path in paths:
        done = _run("cat-file", "blob", f"{commit}:./{path}")
        if not done.returncode:
            files[path] = done.stdout
    return files


def _git(*arguments: str) -> str:
    return _run(*arguments).stdout.decode()


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, check=False)  # noqa: S603 (names after --end-of-options)
