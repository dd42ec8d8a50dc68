"""Recipes: what differs from the base parameters, for a system or a dataset.

A recipe is a YAML text with a part of the keys of the base. Applied to the base it
gives a whole parameter file in which the order and the comments of the base are kept.

Two keys are a recipe's own. ``extends`` names the recipe that it starts from.
``datasets`` holds, by the name of a dataset's recipe, what of the system differs there.
"""

from __future__ import annotations

import dataclasses
import difflib
import io
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, get_origin

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from crosscam.params import ParamsError, parse_params

MARK = "# Written by: make recipe NAME="
EXTENDS, DATASETS = "extends", "datasets"  # keys that are no parameters


def description(recipe: str) -> str:
    """Return the first line of a recipe without its comment mark."""
    return recipe.partition("\n")[0].lstrip("# ").rstrip()


def apply_recipes(
    base: str,
    recipes: Mapping[str, str],
    names: Sequence[str],
    schemas: Iterable[type],
) -> str:
    """Return the base parameters with some recipes applied.

    Parameters
    ----------
    base
        Text of a whole parameter file.
    recipes
        All recipes there are, by name.
    names
        Of those to apply, in their order, each after those that it extends; last, what
        one of them says under ``datasets`` of another. Mappings are merged key by key;
        any other value, and a mapping whose keys are free (``dict`` in the schema),
        takes the place of the earlier one. No name: the base itself, byte for byte.
    schemas
        The dataclasses by which stages read the file (see
        `crosscam.params.parse_params`); the result must fit each.

    Returns
    -------
    str
        YAML. The first line names the recipes, see `applied_recipes`.

    Raises
    ------
    ParamsError
        With one line per fault: names of no recipe, text that is not YAML, sections
        that the base does not have, and all that the schemas refuse in the result.
    """
    if not names:
        return base
    schemas = tuple(schemas)
    free = {path for schema in schemas for path in free_mappings(schema)}
    faults: list[str] = []
    tree = _load("the base", base, faults)
    for name, changes in _layers(recipes, names, faults):
        faults += _unknown_sections(name, changes, tree)
        _merge(tree, changes, "", free)
    text = f'{MARK}"{" ".join(names)}"\n{_dump(tree)}'
    for schema in schemas:
        faults += _schema_faults(text, schema, " ".join(names))
    if faults:
        raise ParamsError("\n".join(dict.fromkeys(faults)))
    return text


def _layers(
    recipes: Mapping[str, str], names: Sequence[str], faults: list[str]
) -> list[tuple[str, Any]]:
    """Return names and changes of all layers, the lowest first."""
    layers: dict[str, Any] = {}
    for name in names:
        layers |= _lineage(recipes, name, faults)
    last = []
    for name, changes in layers.items():
        for dataset, differences in (changes.pop(DATASETS, None) or {}).items():
            faults += _unknown(dataset, recipes, f"{name}: {DATASETS}")
            if dataset in names:
                last.append((f"{name}: {DATASETS}: {dataset}", differences or {}))
    return [*layers.items(), *last]


def _lineage(
    recipes: Mapping[str, str], name: str, faults: list[str], below: str = "recipes"
) -> dict[str, Any]:
    """Return a recipe and all that it extends, the first of the line first."""
    line: dict[str, Any] = {}
    while name is not None:
        if name in line:
            faults.append(f"{below}: extends itself, got {[*line]}")
            break
        if missing := _unknown(name, recipes, below):
            faults += missing
            break
        line[name] = _load(name, recipes[name], faults)
        name, below = line[name].pop(EXTENDS, None), f"{name}: {EXTENDS}"
    return dict(reversed(line.items()))


def _unknown(name: Any, recipes: Mapping[str, str], where: str) -> list[str]:
    if name in recipes:
        return []
    near = difflib.get_close_matches(str(name), recipes, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {[*recipes]}"
    return [f"{where}: there is no recipe {name!r}, {hint}"]


def applied_recipes(params: str) -> list[str]:
    """Return the recipe names in the first line of a parameter file, if it has any."""
    first = params.partition("\n")[0]
    return first.removeprefix(MARK).strip('"').split() if first.startswith(MARK) else []


def free_mappings(schema: Any, where: str = "") -> set[str]:
    """Return the dotted paths below `where` of a schema's mappings with free keys."""
    found = set()
    for name, hint in typing.get_type_hints(schema, include_extras=True).items():
        if get_origin(hint) is dict:
            found.add(f"{where}{name}")
        elif dataclasses.is_dataclass(hint):
            found |= free_mappings(hint, f"{where}{name}.")
    return found


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # never wrap a line
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _load(name: str, text: str, faults: list[str]) -> Any:
    try:
        tree = _yaml().load(text)
    except YAMLError as error:
        faults.append(f"{name}: is not valid YAML: {error}")
        return {}
    if tree is not None and not isinstance(tree, Mapping):
        faults.append(f"{name}: expected a mapping of sections, got {tree!r}")
        return {}
    return tree or {}


def _dump(tree: Any) -> str:
    stream = io.StringIO()
    _yaml().dump(tree, stream)
    return stream.getvalue()


def _unknown_sections(
    name: str, changes: Mapping[str, Any], base: Mapping[str, Any]
) -> list[str]:
    faults = []
    for key in changes:
        if key not in base:
            near = difflib.get_close_matches(str(key), list(base), n=1)
            hint = f", did you mean {near[0]!r}?" if near else f": known are {[*base]}"
            faults.append(f"{name}: {key}: unknown section{hint}")
    return faults


def _merge(base: Any, changes: Any, where: str, free: Collection[str]) -> None:
    for key, value in changes.items():
        path = f"{where}{key}"
        mappings = isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
        if mappings and path not in free:
            _merge(base[key], value, f"{path}.", free)
        else:
            base[key] = value


def _schema_faults(text: str, schema: type, names: str) -> list[str]:
    try:
        parse_params(text, schema, names)
    except ParamsError as error:
        return str(error).splitlines()
    return []
