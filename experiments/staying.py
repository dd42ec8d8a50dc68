"""What stays when all that was made of datasets goes: whether it can, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from experiments.derived import Found, Places
from experiments.given import RAW, WEIGHTS, CleanError, Known
from experiments.runs import git


def check_stays(found: Found, places: Places, own: Known, *, raw: bool) -> None:
    """Return if removing what was found takes nothing else with it.

    Parameters
    ----------
    found
        What goes and what stays.
    places
        Of DVC.
    own
        What is the user's.
    raw
        Whether raw archives go.

    Raises
    ------
    CleanError
        Else; the message says what to do.
    """
    if places.inside():
        check_cached(found.kept, places.cache, own, raw=raw)
    if not raw:
        check_archives(found.paths, own)


def check_cached(kept: Iterable[str], cache: Path, own: Known, *, raw: bool) -> None:
    """Raise `CleanError` if what stays is only in DVC's cache, which goes."""
    folder = cache.resolve()
    tracked = git("ls-files", "-z", "--", "data/*.dvc", "models/*.dvc").split("\0")
    for name in [*kept, *tracked[:-1]]:
        path, is_raw = Path(name), own.is_raw(name.removesuffix(".dvc"))
        too = ", or RAW=1 to remove it, too" * is_raw
        if path.is_symlink() and path.resolve().is_relative_to(folder):
            raise CleanError(
                f"{path}: is a link into DVC's cache, which goes: nothing was removed: "
                f"dvc unprotect {path}{too}"
            )
        alone = path.suffix == ".dvc" and not path.with_suffix("").exists()
        if alone and not (raw and is_raw) and is_cached(path, folder):
            raise CleanError(
                f"{path}: the file is in DVC's cache alone, which goes: nothing was "
                f"removed: dvc checkout {path}{too}"
            )


def is_cached(pointer: Path, cache: Path) -> bool:
    """Return whether DVC's cache has what a ``.dvc`` file names.

    Parameters
    ----------
    pointer
        That file.
    cache
        Of DVC.
    """
    hashes = re.findall(r"md5: (\w\w)(\S+)", pointer.read_text("utf-8"))
    files = cache / "files/md5"
    return any((files / first / rest).exists() for first, rest in hashes)


def check_archives(paths: Iterable[Path], own: Known) -> None:
    """Raise `CleanError` if an archive lies in a folder that goes as a whole."""
    for folder in paths:
        if folder.is_dir() and own.is_archive(folder):
            raise CleanError(
                f"{folder}: holds a dataset that params.yaml or dvc.lock names, and "
                "goes: nothing was removed: move the dataset out, or RAW=1 to remove "
                "it, too"
            )


def told(found: Found, own: Known) -> Iterator[str]:
    """Yield what stays and why, but for data/*/raw/ and models/weights/.

    Parameters
    ----------
    found
        What goes and what stays.
    own
        What is the user's.
    """
    named = "a dataset that params.yaml or dvc.lock names"
    lines = dict[str, str]()  # one for a folder of many files
    for path in found.kept:
        if not (RAW.match(path) or WEIGHTS.match(path)):
            short = "/".join(Path(path).parts[:2])
            archive = f"{named}; RAW=1 removes it"
            no_output = "no output of dvc.yaml: yours to remove if it shows people"
            lines[short] = archive if own.is_archive(path) else no_output
    for place in sorted(own.archives):
        if place.exists() and not place.is_relative_to(Path("data").absolute()):
            lines[str(place)] = named
    for link in found.paths:
        if link.is_symlink() and own.is_raw(str(link)):
            lines[str(link.readlink())] = f"what the link {link} leads to"
    yield from (f"{short}: {why}" for short, why in lines.items())
