"""What a user has put where outputs lie: archives, weights, checkpoints."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

# Also a link of that name, which git lists like a file.
RAW = re.compile(r"data/[^/]+/raw(/|$)")
WEIGHTS = re.compile(r"models/weights(/|$)")
# What lies there and no stage makes was put there by hand.
SHARED = ("data", "models")
PARTIAL = re.compile(r"\..+\.tmp")  # of ours, and of DVC's


class CleanError(RuntimeError):
    """Nothing was removed, or not all; the message says why and what to do."""


class Known(NamedTuple):
    """What tells a user's files from what the pipeline made.

    Attributes
    ----------
    outs
        Of all stages, relative to the repository.
    archives
        Absolute, each as it is named and with all links followed.
    """

    outs: frozenset[Path]
    archives: frozenset[Path]

    def is_archive(self, path: str | Path) -> bool:
        """Return whether a path is a dataset that a run reads, holds it or is in it.

        Parameters
        ----------
        path
            In the current folder, or absolute.
        """
        here = _absolute(path)
        return any(
            here.is_relative_to(archive) or archive.is_relative_to(here)
            for archive in self.archives
        )

    def is_raw(self, path: str) -> bool:
        """Return whether a path is of a dataset as it was given to the user."""
        return RAW.match(path) is not None or self.is_archive(path)

    def is_own(self, path: str) -> bool:
        """Return whether a path is a user's for another reason: no stage makes it."""
        if WEIGHTS.match(path):
            return True
        name = Path(path)
        if name.parts[0] not in SHARED or PARTIAL.fullmatch(name.name):
            return False
        folders = {out.parent for out in self.outs if len(out.parts) > 2}
        return not any(name.is_relative_to(out) for out in self.outs | folders)


def known() -> Known:
    """Return what params.yaml, dvc.yaml and dvc.lock of the current folder say.

    Raises
    ------
    CleanError
        If one of them cannot be read: then nobody knows what is the user's.
    """
    locked = _read(Path("dvc.lock")) if Path("dvc.lock").exists() else {}
    stages = [*_stages(_read(Path("dvc.yaml"))), *_stages(locked)]
    outs = frozenset(Path(out) for stage in stages for out in _written(stage))
    archive = _read(Path("params.yaml")).get("archive")
    if not (isinstance(archive, str) and archive):
        raise CleanError(
            f"params.yaml: archive: must be a path, got {archive!r}: nothing was "
            "removed: name the dataset, or git checkout params.yaml"
        )
    # That of the last run, which params.yaml may no longer name.
    unzip = (locked.get("stages") or {}).get("unzip") or {}
    last = ((unzip.get("params") or {}).get("params.yaml") or {}).get("archive")
    # The synthetic one is an output: that of the last run is made again.
    named = {archive} if last is None or Path(last) in outs else {archive, last}
    return Known(outs, frozenset(_places(named)))


def _places(named: Iterable[str]) -> Iterator[Path]:
    for path in named:
        yield _absolute(path)
        yield Path(path).resolve()


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() follows links)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = YAML(typ="safe", pure=True).load(path)
    except (OSError, UnicodeError, YAMLError) as error:
        raise CleanError(
            f"{path}: cannot be read, {error}: nothing was removed, as it says what is "
            f"yours: mend it, or git checkout {path}"
        ) from error
    if not isinstance(content, dict):
        raise CleanError(
            f"{path}: must be a mapping, got {content!r}: nothing was removed, as it "
            f"says what is yours: git checkout {path}"
        )
    return content


def _stages(pipeline: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (pipeline.get("stages") or {}).values()


def _written(stage: dict[str, Any]) -> Iterator[str]:
    """Yield the outputs of a stage, of dvc.yaml or of dvc.lock."""
    for kind in ("outs", "metrics", "plots"):
        for out in stage.get(kind) or []:
            if isinstance(out, str):
                yield out
            else:
                yield out["path"] if "path" in out else next(iter(out))
