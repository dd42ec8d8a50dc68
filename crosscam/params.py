"""Strict reading of ``params.yaml`` into frozen dataclasses.

Every key is required and every fault is reported at once. The file is read as
YAML 1.2 by the library DVC itself uses, so that ``1e-05`` is a number and ``on`` a
string both here and in ``dvc.lock`` (a YAML 1.1 reader sees the opposite of both).
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
import reprlib
import sys
import types
import typing
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLWarning

T = TypeVar("T")

MAX_BYTES = 2**20  # of a parameter file; ours have 6 kB
MAX_DEPTH = 100  # of brackets; ours have 2
_TOO_DEEP = "brackets or lists within one another, too deep"

# What the YAML library raises on spoiled files, beside its own errors (see
# benchmarks/fuzz.py): a date such as 2024-13-01, an empty number.
_YAML_ERRORS = (
    YAMLError,
    YAMLWarning,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


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


@dataclasses.dataclass(frozen=True)
class Named:
    """A text that names a file, for use in ``Annotated[str, Named()]``.

    Parameters
    ----------
    folders
        Whether it may be a path.
    """

    folders: bool = False

    def fault(self, value: str) -> str | None:
        """Return what is wrong with `value`, or None."""
        bare = Path(value).name == value and value != ".."
        if value.strip() and value.isprintable() and (self.folders or bare):
            return None
        kind = "the path of a file or folder" if self.folders else "the name of a file"
        without = "" if self.folders else ", without a folder"
        return f"must be {kind}{without}, got {shown(value)}"


Fraction = Annotated[float, Within(0, 1)]
Count = Annotated[int, Within(1)]
Positive = Annotated[float, Within(0, above=True)]
NonNegative = Annotated[float, Within(0)]
Seed = Annotated[int, Within(0, 2**32 - 1)]
FileName = Annotated[str, Named()]
PathName = Annotated[str, Named(folders=True)]


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
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error  # without the path once more
        raise ParamsError(
            f"{path}: cannot be read, got {said}: save it as text in UTF-8"
        ) from error
    if len(data) > MAX_BYTES:
        raise ParamsError(
            f"{path}: has more than {MAX_BYTES:,} bytes: it is no such file"
        )
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
        that fits is taken), and ``Annotated`` of a number with `Within` or of a text
        with `Named`.
    source
        What to call the text in messages.

    Raises
    ------
    ParamsError
        With one line per fault: missing and unknown keys (with the nearest known
        one), wrong types, values out of range or not finite, and what a dataclass's
        ``__post_init__`` raises as a ``ValueError``.
    """
    if _depth(text) > MAX_DEPTH:  # 4,000 take the YAML library 10 s
        raise ParamsError(f"{source}: is not valid YAML: {_TOO_DEEP}: correct it there")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", YAMLWarning)  # of an anchor given twice
            tree = YAML(typ="safe", pure=True).load(text)
    except _YAML_ERRORS as error:
        raise ParamsError(
            f"{source}: is not valid YAML: {_said(error)}: correct it there"
        ) from error
    return parse_tree(tree, schema, source)


def parse_tree(tree: Any, schema: type[T], source: str) -> T:
    """Return the sections of a tree of mappings, lists and values.

    Parameters
    ----------
    tree
        As YAML and JSON have it.
    schema
        See `parse_params`.
    source
        What to call the tree in messages.

    Raises
    ------
    ParamsError
        As `parse_params`.
    """
    if not isinstance(tree, dict):
        raise ParamsError(
            f"{source}: expected a mapping of sections, got {shown(tree)}"
        )
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


def _depth(text: str) -> int:
    """Return how many brackets are open at once, also in quotes and comments."""
    steps = ((c in "[{") - (c in "]}") for c in text)
    return max(itertools.accumulate(steps), default=0)


def _said(error: Exception) -> str:
    """Return what the YAML library says in pages, in one line."""
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        # Of a key given twice it shows values too, but not as they are in the file.
        problem = error.problem.splitlines()[0].partition(" with value ")[0]
        said = f"{error.context}, {problem}" if error.context else problem
        return f"{said}, in line {error.problem_mark.line + 1}"
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    if isinstance(error, YAMLError | YAMLWarning):
        return str(error).strip().partition("\n")[0]
    return f"a value that does not suit its tag, {type(error).__name__}: {error}"


class _Shown(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxother, self.maxstring = 3, 200, 200
        self.maxlist = self.maxdict = 12

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002 (as in the base)
        # Python refuses to print more than 4,300 digits.
        return (
            repr(x) if x.bit_length() <= 200 else f"{x.bit_length()} bits of a number"
        )


def shown(value: Any) -> str:
    """Return a value as it can be shown: on one line, and not too much of it.

    Some lines of YAML can stand for a billion values, or a list for itself.
    """
    text = _Shown().repr(value)
    return text if len(text) <= 240 else f"{text[:180]} … {text[-50:]}"


def _key(key: Any) -> str:
    return (
        key
        if isinstance(key, str) and key.isprintable() and len(key) < 80
        else shown(key)
    )


def _missing(name: str, candidates: list[Any], cutoff: float = 0.6) -> str:
    # 'intra' and 'inter' score 0.8: between sections a hint needs more than that.
    near = difflib.get_close_matches(name, map(_key, candidates), 1, cutoff)
    hint = f": is {near[0]!r} meant to be it?" if near else ": add it"
    return f"{name}: missing key{hint}"


def _dataclass(schema: Any, tree: Any, where: str, faults: list[str]) -> Any:
    if not isinstance(tree, Mapping):
        faults.append(f"{where}: expected a mapping, got {shown(tree)}")
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
            near = difflib.get_close_matches(_key(key), names, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f": known are {names}"
            faults.append(f"{dot}{_key(key)}: unknown key{hint}")
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
        found = [r.fault(result) for r in args[1:] if isinstance(r, Within | Named)]
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
        near = difflib.get_close_matches(_key(value), map(str, args), n=1)
        meant = f", did you mean {near[0]!r}?" if near else ""
        faults.append(
            f"{where}: must be one of {list(args)}, got {shown(value)}{meant}"
        )
    return value


def _tuple(args: tuple[Any, ...], value: Any, where: str, faults: list[str]) -> Any:
    if not isinstance(value, list):
        faults.append(f"{where}: expected a list, got {shown(value)}")
        return None
    if args[-1] is Ellipsis:
        args = args[:1] * len(value)
    if len(value) != len(args):
        faults.append(f"{where}: expected {len(args)} values, got {shown(value)}")
        return None
    return tuple(
        _value(arg, item, f"{where}[{i}]", faults)
        for i, (arg, item) in enumerate(zip(args, value, strict=True))
    )


def _dict(args: tuple[Any, ...], value: Any, where: str, faults: list[str]) -> Any:
    if not isinstance(value, Mapping):
        faults.append(f"{where}: expected a mapping, got {shown(value)}")
        return None
    return {
        _key(key): _value(args[1], item, f"{where}.{_key(key)}", faults)
        for key, item in value.items()
    }


def _scalar(hint: Any, value: Any, where: str, faults: list[str]) -> Any:
    if hint is float and type(value) is int:
        value = float(value) if abs(value) <= sys.float_info.max else math.inf
    if type(value) is not hint:  # not isinstance: True is an int
        faults.append(f"{where}: expected {hint.__name__}, got {shown(value)}")
    elif hint is int and not -(2**63) <= value < 2**63:
        faults.append(f"{where}: must fit into 64 bits, got {shown(value)}")
    elif hint is float and not math.isfinite(value):
        faults.append(f"{where}: must be finite, got {shown(value)}")
    return value
