"""Sections on what makes the run again: parameters, environment, files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosscam.report import numbers
from crosscam.report.locked import Locked, inputs, leaves, outputs
from crosscam.report.markup import Markup, joined, table, tag
from crosscam.report.material import Material, Section

ABSENT = "—"
Values = Mapping[str, Any]


def params_section(material: Material) -> Section:
    """Return all parameters; those that differ from the default are marked."""
    now, default = leaves(material.params), leaves(material.default)
    paths = [*now, *(path for path in default if path not in now)]
    groups: dict[str, list[str]] = {}
    for path in paths:
        group = path.partition(".")[0] if "." in path else "general"
        groups.setdefault(group, []).append(path)
    changed = [path for path in paths if _shown(now, path) != _shown(default, path)]
    boxes = [
        tag("div", tag("h3", group), _params(groups[group], now, default))
        for group in groups
    ]
    text = (
        f"{len(changed)} of {len(paths)} differ from recipes/default.yaml: those on a "
        "coloured ground, with the default beside them."
        if changed
        else f"All {len(paths)} are those of recipes/default.yaml."
    )
    body = joined([tag("p", text), tag("div", *boxes, class_="columns")])
    return Section("parameters", "Parameters", body)


def environment_section(material: Material) -> Section:
    """Return versions, device and commit."""
    rows = list(material.environment.items())
    note = (
        "Of the machine that made this report, not of one where a pulled run was made."
    )
    body = [
        table(("", ""), rows, "Environment", "plain"),
        tag("p", note, class_="note"),
    ]
    return Section("environment", "Environment", joined(body))


def files_section(material: Material) -> Section:
    """Return inputs and outputs with size and md5, from dvc.lock."""
    parts = [tag("p", "As dvc.lock has them. The code is that of the commit above.")]
    kinds = (("Inputs", "first read by", inputs), ("Outputs", "made by", outputs))
    for title, by, files in kinds:
        rows = [_file(locked) for locked in files(material.stages)]
        head = ("path", by, "size", "md5")
        parts += [tag("h3", title), table(head, rows, title, "files")]
    return Section("files", "Files", joined(parts))


def _params(paths: list[str], now: Values, default: Values) -> Markup:
    rows = []
    for path in paths:
        head = tag("th", path.partition(".")[2] or path, scope="row")
        value, usual = _shown(now, path), _shown(default, path)
        if value == usual:
            rows.append(tag("tr", head, tag("td", value)))
        else:
            both = tag("b", value), " ", tag("span", f"default {usual}")
            rows.append(tag("tr", head, tag("td", *both), class_="changed"))
    return tag("table", tag("tbody", *rows), class_="params")


def _shown(values: Values, path: str) -> str:
    return numbers.value(values[path]) if path in values else ABSENT


def _file(locked: Locked) -> tuple[str, str, str, Markup]:
    md5 = tag("code", locked.md5)
    return locked.path, locked.stage, numbers.size(locked.size), md5
