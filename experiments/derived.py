"""What was made of datasets in this clone, and what of it stays."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo  # type: ignore[import-untyped]  # no stubs

from experiments.given import Known
from experiments.runs import git

STORE = ".dvc-store"
# What the pipeline writes there: all that is not in git and not given by the user.
MADE = ("data", "dvc.lock", "metrics", "models", "plots", STORE)
FOLDERS = (".runs", "reports", "dvc_plots")
WRITTEN = ("dvc.lock", "metrics", "plots")  # there, what is in git


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
    kept
        Untracked files and links beside these that stay.
    """

    paths: list[Path]
    restored: list[str]
    refs: list[str]
    kept: list[str]

    def anything(self) -> bool:
        """Return whether there is anything to remove."""
        return any(self[:3])


def dvc_places() -> Places:
    """Return where DVC keeps its files for the repository in the current folder."""
    with Repo(".") as repo:
        temporary = [Path(repo.tmp_dir), Path(repo.site_cache_dir)]
        remotes = sorted({*repo.config["remote"]} - {"embedded"})
        return Places(Path(repo.cache.local_cache_dir), temporary, remotes)


def find(places: Places, own: Known, *, raw: bool) -> Found:
    """Return what there is to remove in the current folder; nothing is changed.

    Parameters
    ----------
    places
        Of DVC.
    own
        What is the user's.
    raw
        Whether raw archives count, in `data/`.
    """
    made, kept = list[Path](), list[str]()
    for path in untracked(*MADE):
        stays = not raw if own.is_raw(path) else own.is_own(path)
        if stays:
            kept.append(path)
        else:
            made.append(Path(path))
    cache = [places.cache.resolve()] if places.inside() else []
    folders = [*map(Path, FOLDERS), *places.temporary, *cache]
    there = [folder for folder in folders if folder.is_symlink() or folder.exists()]
    restored = git("diff", "--name-only", "-z", "HEAD", "--", *WRITTEN)
    refs = git("for-each-ref", "--format=%(refname)", "refs/exps")
    return Found([*made, *there], restored.split("\0")[:-1], refs.split(), kept)


def untracked(*patterns: str) -> list[str]:
    """Return what git does not track below these, ignored or not."""
    return git("ls-files", "--others", "-z", "--", *patterns).split("\0")[:-1]
