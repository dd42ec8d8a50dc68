"""What was made of datasets in this clone, and whether it can be removed now."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo  # type: ignore[import-untyped]  # no stubs

from experiments.runs import git, states

STORE = ".dvc-store"
# What the pipeline writes there: all that is not in git and not given by the user.
MADE = ("data", "dvc.lock", "metrics", "models", "plots", STORE)
GIVEN = re.compile(r"data/[^/]+/raw/|models/weights/")
FOLDERS = (".runs", "reports", "dvc_plots")
WRITTEN = ("dvc.lock", "metrics", "plots")  # there, what is in git


class CleanError(RuntimeError):
    """Nothing was removed, or not all; the message says why and what to do."""


class Places(NamedTuple):
    """Where DVC keeps its own files.

    Attributes
    ----------
    cache
        May be outside the clone, and shared.
    temporary
        Folders of this clone alone: queued and running experiments, md5s of files.
    remotes
        Names of those that are no part of the repository.
    """

    cache: Path
    temporary: list[Path]
    remotes: list[str]

    def inside(self) -> bool:
        """Return whether the cache is a folder within this clone."""
        return Path.cwd().resolve() in self.cache.resolve().parents


class Found(NamedTuple):
    """What there is to remove.

    Attributes
    ----------
    paths
        Files, links and whole folders.
    restored
        Tracked files that become again what they are in the commit.
    refs
        Of experiments, in git.
    """

    paths: list[Path]
    restored: list[str]
    refs: list[str]


def dvc_places() -> Places:
    """Return where DVC keeps its files for the repository in the current folder."""
    with Repo(".") as repo:
        temporary = [Path(repo.tmp_dir), Path(repo.site_cache_dir)]
        remotes = sorted({*repo.config["remote"]} - {"embedded"})
        return Places(Path(repo.cache.local_cache_dir), temporary, remotes)


def check_idle(places: Places) -> None:
    """Raise `CleanError` while DVC runs a stage or an experiment here."""
    running = [name for name, state in states().items() if state == "running"]
    file = places.temporary[0] / "rwlock"
    text = file.read_text() if file.exists() else ""
    pids = {int(pid) for pid in re.findall(r'"pid": (\d+)', text)}
    running += [f"process {pid}" for pid in sorted(pids) if _alive(pid)]
    if running:
        raise CleanError(
            f"DVC is at work ({', '.join(running)}): nothing was removed: "
            "dvc queue kill, or wait, then repeat"
        )


def check_raw(cache: Path) -> None:
    """Raise `CleanError` if removing the cache would take a raw archive with it."""
    folder = cache.resolve()
    for path in Path("data").glob("*/raw/*"):
        if path.is_symlink() and path.resolve().is_relative_to(folder):
            raise CleanError(
                f"{path}: is a link into DVC's cache, which goes: nothing was removed: "
                f"dvc unprotect {path}, or RAW=1 to remove it, too"
            )
        if path.suffix == ".dvc" and not path.with_suffix("").exists():
            raise CleanError(
                f"{path}: the archive is in DVC's cache at most, which goes: nothing "
                f"was removed: dvc checkout {path}, or RAW=1 to remove it, too"
            )


def find(places: Places, *, raw: bool) -> Found:
    """Return what there is to remove in the current folder; nothing is changed.

    Parameters
    ----------
    places
        Of DVC.
    raw
        Whether raw archives count.
    """
    made = [path for path in untracked(*MADE) if not GIVEN.match(path)]
    given = untracked("data/*/raw/*") if raw else []
    cache = [places.cache.resolve()] if places.inside() else []
    folders = [*map(Path, FOLDERS), *places.temporary, *cache]
    there = [folder for folder in folders if folder.is_symlink() or folder.exists()]
    restored = git("diff", "--name-only", "-z", "HEAD", "--", *WRITTEN)
    refs = git("for-each-ref", "--format=%(refname)", "refs/exps")
    paths = [Path(path) for path in (*made, *given)] + there
    return Found(paths, restored.split("\0")[:-1], refs.split())


def untracked(*patterns: str) -> list[str]:
    """Return what git does not track below these, ignored or not."""
    return git("ls-files", "--others", "-z", "--", *patterns).split("\0")[:-1]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
