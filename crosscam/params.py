"""Strict reading of ``params.yaml`` into frozen dataclasses.

Every key is required and every fault is reported at once. The file is read as
YAML 1.2 by the library DVC itself uses, so that ``1e-05`` is a number and ``on`` a
string both here and in ``dvc.lock`` (a YAML 1.1 reader sees the opposite of both).
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

T = TypeVar("T")


class ParamsError(ValueError):
    """One or more faults of a parameter file, a line each."""


@dataclasses.dataclass(frozen=True)
class Within:
    """Closed range of a number, for use in ``Annotated[float, Within(0, 1)]``.

    Parameters
    ----------
    low, high
        Smallest and largest allowed value; both are allowed themselves unless
        ``above`` is set.
    above
        If true, ``low`` itself is not allowed.
    """

    low: float
    high: float = math.inf
    above: bool = False

    def fault(self, value: float) -> str | None:
        """Return what is wrong with `value`, or None."""
        too_low = value <= self.low if self.above else value < self.low
        if not too_low and value <= self.high:
            return None
        low = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        high = "" if math.isinf(self.high) else f" and at most {self.high:g}"
        return f"must be {low}{high}, got {value!r}"


Fraction = Annotated[float, Within(0, 1)]
Count = Annotated[int, Within(1)]
Positive = Annotated[float, Within(0, above=True)]
NonNegative = Annotated[float, Within(0)]
Seed = Annotated[int, Within(0, 2**32 - 1)]


def read_params(path: Path, schema: type[T]) -> T:
    """Return the sections of a parameter file that `schema` names.

    Parameters
    ----------
    path
        The YAML file.
    schema
        See `parse_params`.

    Raises
    ------
    ParamsError
        If the file cannot be read, and as `parse_params`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: cannot be read: {error}") from error
    return parse_params(text, schema, str(path))


def parse_params(text: str, schema: type[T], source: str) -> T:
    """Return the sections of a parameter text that `schema` names.

    Parameters
    ----------
    text
        YAML 1.2. A key given twice is a fault.
    schema
        A dataclass. Its fields name the top-level keys to read; other top-level keys
        belong to other stages and are not looked at. Below the top level, keys must
        match exactly; a field's default is never used. Fields are ``int``, ``float``
        (an int is taken too), ``bool``, ``str``, ``Literal``, ``tuple``,
        ``dict[str, ...]``, dataclasses, unions of these, also with None (the first
        that fits is taken), and ``Annotated`` of a number with `Within`.
    source
        What to call the text in messages.

    Raises
    ------
    ParamsError
        With one line per fault: missing and unknown keys (with the nearest known
        one), wrong types, values out of range or not finite, and what a dataclass's
        ``__post_init__`` raises as a ``ValueError``.
    """
    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-01
        raise ParamsError(f"{source}: is not valid YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ParamsError(f"{source}: expected a mapping of sections, got {tree!r}")
    names = [field.name for field in dataclasses.fields(typing.cast("Any", schema))]
    others = [key for key in tree if key not in names]
    faults = [_missing(name, others, cutoff=0.85) for name in names if name not in tree]
    known = {key: value for key, value in tree.items() if key in names}
    if faults:
        _fields(schema, known, "", faults)
    else:
        result = typing.cast("T", _dataclass(schema, known, "", faults))
    if faults:
        raise ParamsError("\n".join(f"{source}: {fault}" for fault in faults))
    return result


def _missing(name: str, candidates: list[Any], cutoff: float = 0.6) -> str:
    # 'intra' and 'inter' score 0.8: between sections a hint needs more than that.
    near = difflib.get_close_matches(name, [str(c) for c in candidates], 1, cutoff)
    hint = f": is {near[0]!r} meant to be it?" if near else ": add it"
    return f"{name}: missing key{hint}"


def _dataclass(schema: Any, tree: Any, where: str, faults: list[str]) -> Any:
    if not isinstance(tree, Mapping):
        faults.append(f"{where}: expected a mapping, got {tree!r}")
        return None
    before = len(faults)
    values = _fields(schema, tree, where, faults)
    if len(faults) > before:
        return None
    try:
        return schema(**values)
    except ValueError as error:
        prefix = f"{where}: " if where else ""
        faults.extend(f"{prefix}{line}" for line in str(error).splitlines())
        return None


def _fields(
    schema: Any, tree: Mapping[Any, Any], where: str, faults: list[str]
) -> dict[str, Any]:
    hints = typing.get_type_hints(schema, include_extras=True)
    names = [field.name for field in dataclasses.fields(schema)]
    dot = f"{where}." if where else ""
    for key in tree:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f": known are {names}"
            faults.append(f"{dot}{key}: unknown key{hint}")
    values = {}
    for name in names:
        if name in tree:
            values[name] = _value(hints[name], tree[name], f"{dot}{name}", faults)
        elif where:
            faults.append(dot + _missing(name, [k for k in tree if k not in names]))
    return values


def _value(hint: Any, value: Any, where: str, faults: list[str]) -> Any:
    readers = {
        Annotated: _within,
        typing.Union: _union,
        types.UnionType: _union,
        Literal: _literal,
        tuple: _tuple,
        dict: _dict,
    }
    reader = readers.get(get_origin(hint))
    if reader:
        return reader(get_args(hint), value, where, faults)
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, value, where, faults)
    return _scalar(hint, value, where, faults)


def _within(args: tuple[Any, ...], value: Any, where: str, faults: list[str]) -> Any:
    before = len(faults)
    result = _value(args[0], value, where, faults)
    if len(faults) == before:
        found = [r.fault(result) for r in args[1:] if isinstance(r, Within)]
        faults.extend(f"{where}: {fault}" for fault in found if fault)
    return result


def _union(args: tuple[Any, ...], value: Any, where: str, faults: list[str]) -> Any:
    if value is None and types.NoneType in args:
        return None
    trials: list[str] = []
    for option in (arg for arg in args if arg is not types.NoneType):
        trial: list[str] = []
        result = _value(option, value, where, trial)
        if not trial:
            return result
        trials += trial
    faults.append(", or ".join(trials))
    return None


def _literal(args: tuple[Any, ...], value: Any, where: str, faults: list[str]) -> Any:
    if not any(type(value) is type(arg) and value == arg for arg in args):
        near = difflib.get_close_matches(str(value), [str(arg) for arg in args], n=1)
        meant = f", did you mean {near[0]!r}?" if near else ""
        faults.append(f"{where}: must be one of {list(args)}, got {value!r}{meant}")
    return value


def _tuple(args: tuple[Any, ...], value: Any, where: str, faults: list[str]) -> Any:
    if not isinstance(value, list):
        faults.append(f"{where}: expected a list, got {value!r}")
        return None
    if args[-1] is Ellipsis:
        args = args[:1] * len(value)
    if len(value) != len(args):
        faults.append(f"{where}: expected {len(args)} values, got {value!r}")
        return None
    return tuple(
        _value(arg, item, f"{where}[{i}]", faults)
        for i, (arg, item) in enumerate(zip(args, value, strict=True))
    )


def _dict(args: tuple[Any, ...], value: Any, where: str, faults: list[str]) -> Any:
    if not isinstance(value, Mapping):
        faults.append(f"{where}: expected a mapping, got {value!r}")
        return None
    return {
        str(key): _value(args[1], item, f"{where}.{key}", faults)
        for key, item in value.items()
    }


def _scalar(hint: Any, value: Any, where: str, faults: list[str]) -> Any:
    if hint is float and type(value) is int:
        value = float(value) if abs(value) <= sys.float_info.max else math.inf
    if type(value) is not hint:  # not isinstance: True is an int
        faults.append(f"{where}: expected {hint.__name__}, got {value!r}")
    elif hint is float and not math.isfinite(value):
        faults.append(f"{where}: must be finite, got {value!r}")
    return value
