"""Remove all that was made of datasets in this clone: make clean-data.

Images, tables, features, networks, pictures, reports, experiments, unfinished runs and
DVC's cache go, whatever dataset they are of. What is in git stays: the store of the
published run, and params.yaml, also if you have changed it. So does what you have put
there yourself: weights, checkpoints, and raw archives unless ``--raw`` is given.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ruamel.yaml import YAML

from experiments import staying
from experiments.derived import STORE, Found, Places, dvc_places, find
from experiments.given import CleanError, Known, known
from experiments.idle import check_idle
from experiments.runs import RunError, git

STAYS = (
    "what was pushed, to a DVC remote or with dvc exp push; other clones; backups",
    "your commits; removed experiments until git gc --prune=now: no image is in git",
    "the freed blocks of the disk, until something else is written there",
)


def main(arguments: list[str]) -> None:
    """Run the command; every fault ends it with one message and status 1."""
    parser = argparse.ArgumentParser(prog="experiments.clean_data", description=__doc__)
    parser.add_argument("--force", action="store_true", help="ask nothing")
    parser.add_argument("--raw", action="store_true", help="remove raw archives, too")
    options = parser.parse_args(arguments)
    try:
        places = dvc_places()
        check_idle(places.temporary[0])
        # Before dvc.lock becomes that of the commit, which may name other archives.
        own = known()
        found = find(places, own, raw=options.raw)
        staying.check_stays(found, places, own, raw=options.raw)
        sys.stdout.write(told(found, places, own))
        if found.anything() and not options.force:
            confirm()
        remove(found)
        check_gone(find(places, own, raw=options.raw))
    except (CleanError, RunError) as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(after())


def check_gone(left: Found) -> None:
    """Raise `CleanError` if anything is there, after all has been removed."""
    for path in left.paths:
        raise CleanError(f"{path}: is there again: end what writes it, then repeat")


def told(found: Found, places: Places, own: Known) -> str:
    """Return what will be removed and what will not, or cannot be reached."""
    lines = [*_grouped(found.paths)]
    lines += [f"  {path}: as committed again" for path in found.restored]
    lines += [f"  {ref}: experiment" for ref in found.refs]
    kept = [*staying.told(found, own), *STAYS]
    if not places.inside():
        kept.append(f"{places.cache}, DVC's cache: others may use it, too")
    if named := os.environ.get("CROSSCAM_RUNS"):
        kept.append(f"{named}, unfinished runs (CROSSCAM_RUNS)")
    kept += [f"the DVC remote {name!r}" for name in places.remotes]
    return _listed("To be removed:", lines) + _listed(
        "Not removed by this:", [f"  {line}" for line in kept]
    )


def confirm() -> None:
    """Raise `CleanError` unless the user types yes."""
    sys.stdout.write("There is no way back. Type yes to go on: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != "yes":
        raise CleanError("nothing was removed: type yes, or give FORCE=1")


def remove(found: Found) -> None:
    """Remove what was found.

    Raises
    ------
    CleanError
        If that fails half way; the same command again goes on.
    """
    try:
        for path in found.paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
                _remove_empty(path.parent)
    except OSError as error:
        raise CleanError(
            f"{error.filename}: cannot be removed, {error.strerror}: some is still "
            "there: see to that and repeat"
        ) from error
    for ref in found.refs:
        git("update-ref", "-d", ref)
    if found.restored:
        git("checkout", "--quiet", "HEAD", "--", *found.restored)


def after() -> str:
    """Return how to get the published run, or that it is not the one committed."""
    file = Path("dvc.lock")
    lock = YAML(typ="safe", pure=True).load(file) if file.exists() else {"stages": {}}
    outs = [out for stage in lock["stages"].values() for out in stage.get("outs", [])]
    sums = {out["md5"] for out in outs if not out["path"].endswith(".json")}
    if sums and all(Path(STORE, "files/md5", s[:2], s[2:]).exists() for s in sums):
        return "Removed. The published run: dvc pull -r embedded\n"
    return (
        "Removed. The dvc.lock of this commit is of a run of your own. The published "
        "run: git restore --source=origin/main dvc.lock metrics plots params.yaml, "
        "then dvc pull -r embedded\n"
    )


def _grouped(paths: Iterable[Path]) -> Iterator[str]:
    groups: dict[str, list[int]] = {}
    for path in paths:
        short = str(path) if path.is_absolute() else "/".join(path.parts[:2])
        groups.setdefault(short.removeprefix(f"{Path.cwd()}/"), []).extend(_sizes(path))
    for name, sizes in groups.items():
        files = "1 file" if len(sizes) == 1 else f"{len(sizes)} files"
        yield f"  {name}: {files}, {sum(sizes) / 1e6:.1f} MB"


def _sizes(path: Path) -> list[int]:
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return [each.lstat().st_size for each in inside if not each.is_dir()]


def _remove_empty(folder: Path) -> None:
    while folder.is_dir() and folder.parts and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _listed(title: str, lines: Iterable[str]) -> str:
    return "\n".join([title, *(lines or ["  nothing"])]) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
