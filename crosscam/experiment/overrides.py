"""The ``-S`` arguments of `dvc exp run` that turn one parameter file into another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# What Hydra's grammar takes without quotes and reads as a string or a number again.
PLAIN = re.compile(r"[A-Za-z_/.][\w/.+-]*")
WORDS = {"true", "false", "null", "nan", "inf"}


def overrides(
    current: Mapping[str, Any], wanted: Mapping[str, Any], where: str = ""
) -> list[str]:
    """Return what must be set, added and taken out, in the order of `wanted`.

    Parameters
    ----------
    current, wanted
        Trees of two parameter files, or of sections of them.
    where
        Of these sections, a dotted path with a dot at its end.

    Returns
    -------
    list of str
        Such as ``intra.lr=0.001``, ``+model.options.stem_type=deep`` and
        ``~model.options.ls_init_value``; none for equal trees.
    """
    found = []
    for key, value in wanted.items():
        path, before = f"{where}{key}", current.get(key)
        if key not in current:
            found.append(f"+{path}={_written(value)}")
        elif isinstance(value, Mapping) and isinstance(before, Mapping):
            found += overrides(before, value, f"{path}.")
        # 1, 1.0 and True are equal, and not the same parameter.
        elif value != before or type(value) is not type(before):
            found.append(f"{path}={_written(value)}")
    return found + [f"~{where}{key}" for key in current if key not in wanted]


def _written(value: Any) -> str:
    """Return a value in Hydra's grammar."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str) and (value in WORDS or not PLAIN.fullmatch(value)):
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{quoted}'"
    return str(value)
