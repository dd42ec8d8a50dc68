"""The files of the workspace's run, all of them there and of one run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from crosscam.params import ParamsError
from crosscam.recipes import applied_recipes
from crosscam.report.locked import faults, leaves, reached
from recipes.__main__ import BASE, build, texts

LOCK, PARAMS = "dvc.lock", "params.yaml"
LAST = "evaluate"
RECORDS = {
    "unzip": "metrics/unzip.json",
    "split": "metrics/split.json",
    "metrics": "metrics/evaluate.json",
    "cmc": "plots/cmc.json",
    "camera_pairs": "plots/camera_pairs.json",
    "pseudo_labels": "plots/pseudo_labels.json",
    "intra": "plots/intra.json",
    "inter": "plots/inter.json",
}
TABLES = {name: f"data/split/{name}.csv" for name in ("query", "gallery")}
FEATURES, IMAGES = "data/features.npz", "data/packed/images.bin"
EMBEDDING = "plots/embedding.png"


class FilesError(ValueError):
    """Files that are missing or of another run; a line per fault."""


class RunFiles(NamedTuple):
    """What a run has left.

    Attributes
    ----------
    records
        The small files, by the names in `RECORDS`.
    stages
        Of dvc.lock: those that the evaluation rests on.
    params, default
        Parameter trees of the workspace and of the default recipe.
    recipe
        What the parameters are called.
    """

    records: dict[str, Any]
    stages: dict[str, Any]
    params: dict[str, Any]
    default: dict[str, Any]
    recipe: str


def read_run() -> RunFiles:
    """Return the run in the current folder.

    Raises
    ------
    FilesError
        If files are missing, or are not those of dvc.lock.
    """
    made = [*RECORDS.values(), *TABLES.values(), FEATURES, IMAGES, EMBEDDING]
    if missing := [path for path in (LOCK, *made) if not Path(path).is_file()]:
        raise FilesError(
            f"missing: {', '.join(missing)}: bring them with dvc pull, or make them "
            "with make repro"
        )
    stages = reached(_yaml(Path(LOCK).read_text("utf-8"))["stages"], LAST)
    text = Path(PARAMS).read_text("utf-8")
    params = _yaml(text)
    if found := faults(stages, params, {path: _md5(Path(path)) for path in made}):
        lines = "\n".join(found)
        raise FilesError(f"{lines}\nthe files are not of one run: make repro")
    recipes = texts()
    return RunFiles(
        {name: json.loads(Path(path).read_bytes()) for name, path in RECORDS.items()},
        stages,
        params,
        _yaml(recipes[BASE]),
        recipe_name(text, recipes),
    )


def recipe_name(text: str, recipes: Mapping[str, str]) -> str:
    """Return the recipes that parameters come from, and how many were changed since.

    Parameters
    ----------
    text
        Of the parameter file.
    recipes
        All there are, by name.
    """
    names = applied_recipes(text)
    name = " ".join(names) or BASE
    try:
        whole = leaves(_yaml(build(dict(recipes), names)))
    except ParamsError:  # a recipe that is no more, or no longer fits
        return f"{name}, as it was once"
    now = leaves(_yaml(text))
    changed = [p for p in whole | now if whole.get(p) != now.get(p)]
    return f"{name} (parameters changed: {len(changed)})" if changed else name


def _yaml(text: str) -> dict[str, Any]:
    tree: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return tree


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.md5(usedforsecurity=False)
        ).hexdigest()
