"""What dvc.lock says of a run, and whether the files at hand are that run's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

CODE = ("crosscam", "recipes", "stages")  # the commit stands for these
PARAMS = "params.yaml"


class Locked(NamedTuple):
    """A file or folder of dvc.lock."""

    stage: str
    path: str
    size: int
    md5: str


def reached(stages: Mapping[str, Any], last: str) -> dict[str, Any]:
    """Return the stages that the last one rests on, and it, in the order of the lock.

    Parameters
    ----------
    stages
        Of dvc.lock, by name.
    last
        A name; nothing comes back if the lock lacks it.
    """
    makers = {out.path: out.stage for out in outputs(stages)}
    found, waiting = set(), [last]
    while waiting:
        name = waiting.pop()
        if name in stages and name not in found:
            found.add(name)
            paths = [dep["path"] for dep in stages[name].get("deps", [])]
            waiting += [makers[path] for path in paths if path in makers]
    return {name: stage for name, stage in stages.items() if name in found}


def outputs(stages: Mapping[str, Any]) -> list[Locked]:
    """Return all outputs, in the order of the lock."""
    return [
        _locked(name, out) for name in stages for out in stages[name].get("outs", [])
    ]


def inputs(stages: Mapping[str, Any]) -> list[Locked]:
    """Return the inputs that no stage makes, code left out, each once."""
    made = {out.path for out in outputs(stages)}
    found: dict[str, Locked] = {}
    for name, stage in stages.items():
        for dep in stage.get("deps", []):
            path = dep["path"]
            if path not in made and not path.startswith(tuple(f"{c}/" for c in CODE)):
                found.setdefault(path, _locked(name, dep))
    return list(found.values())


def faults(
    stages: Mapping[str, Any], params: Mapping[str, Any], md5s: Mapping[str, str]
) -> list[str]:
    """Return where parameters and files at hand are not those of the lock.

    Parameters
    ----------
    stages
        Of dvc.lock.
    params
        Tree of the parameter file.
    md5s
        Of some files, by path.

    Returns
    -------
    list of str
        A line per fault.
    """
    known = {out.path: out.md5 for out in outputs(stages)}
    lines = [
        f"{path}: md5 must be {known.get(path, 'known')}, as in dvc.lock, got {md5}"
        for path, md5 in md5s.items()
        if md5 != known.get(path)
    ]
    for stage in stages.values():
        for key, value in stage.get("params", {}).get(PARAMS, {}).items():
            before, now = leaves(value, key), leaves(_at(params, key), key)
            lines += [
                f"{PARAMS}: {path}: the run had {before.get(path)!r}, "
                f"got {now.get(path)!r}"
                for path in before | now
                if before.get(path) != now.get(path)
            ]
    return list(dict.fromkeys(lines))


def leaves(tree: Any, where: str = "") -> dict[str, Any]:
    """Return the values of a parameter tree by dotted path, in its order.

    An empty mapping is a value; its path is that of the mapping.
    """
    if not isinstance(tree, Mapping) or not tree:
        return {where: tree}
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= leaves(value, f"{where}.{key}" if where else str(key))
    return found


def _at(tree: Any, key: str) -> Any:
    """Return what a parameter tree has at a dotted key, None if nothing."""
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _locked(stage: str, entry: Mapping[str, Any]) -> Locked:
    return Locked(stage, entry["path"], entry["size"], entry["md5"])
