"""Which fields of which dataclass the code reads, as far as types are plain to see.

Types are followed from annotations of parameters and fields, from `self`, from calls of
annotated functions and classes, and through assignments. What is not followed counts as
not read: a test that rests on this can fail wrongly, never pass wrongly.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import typing
from collections.abc import Iterator
from typing import Any

from tests.repository import sources, tree_of

Reads = set[tuple[type, str]]


def fields_read() -> Reads:
    """Return what all our modules read."""
    return {pair for path in sources() for pair in fields_read_by(path)}


def fields_read_by(path: str) -> Iterator[tuple[type, str]]:
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    yield from _in_scope(tree_of(path), {}, vars(module), None)


def unread(schema: Any, reads: Reads, where: str = "") -> list[str]:
    """Return the dotted paths of the fields that nothing reads, at any depth."""
    found = []
    for name, hint in typing.get_type_hints(schema).items():
        if not any((owner, name) in reads for owner in _holders(schema, name)):
            found.append(where + name)
        for option in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(option):
                found += unread(option, reads, f"{where}{name}.")
    return found


def _holders(schema: type, name: str) -> Iterator[type]:
    """Yield the classes through which a field of this class may be read.

    Itself, those that it inherits the field from (a round reads its `Setting`, and
    gets the `Params` of a stage), and those that inherit from it.
    """
    origin, *_ = [c for c in reversed(schema.__mro__) if name in _hints(c)]
    yield from (c for c in schema.__mro__ if issubclass(c, origin))
    stack = schema.__subclasses__()
    while stack:
        yield (owner := stack.pop())
        stack += owner.__subclasses__()


def _in_scope(
    scope: Any, types: dict[str, Any], names: dict[str, Any], owner: Any
) -> Iterator[tuple[type, str]]:
    """Yield the reads in a module, class or function; a check of fields is no use."""
    nodes, inner = _parts(scope)
    types = types | _assigned(nodes, types, names)
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield _type(node.value, types, names), node.attr
    for node in inner:
        if isinstance(node, ast.ClassDef):
            own = names.get(node.name)
            yield from _in_scope(node, types | _members(node, names), names, own)
        elif node.name != "__post_init__":
            known = types | dict(_parameters(node, names, owner))
            yield from _in_scope(node, known, names, None)


def _parts(scope: Any) -> tuple[list[ast.AST], list[Any]]:
    """Return what a scope holds, in order, and the functions and classes in it."""
    nodes, inner = [], []
    stack = list(reversed(scope.body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inner.append(node)
        else:
            nodes.append(node)
            stack += reversed(list(ast.iter_child_nodes(node)))
    return nodes, inner


def _assigned(
    nodes: list[ast.AST], types: dict[str, Any], names: dict[str, Any]
) -> dict[str, Any]:
    """Return the types of names such as ``p`` and ``self.params`` after assignments."""
    found: dict[str, Any] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            name = ast.unparse(node.targets[0])
            found[name] = _type(node.value, types | found, names)
    return found


def _members(node: ast.ClassDef, names: dict[str, Any]) -> dict[str, Any]:
    """Return the types of what ``__init__`` assigns to ``self``."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            known = dict(_parameters(method, names, None))
            found = _assigned(_parts(method)[0], known, names)
            return {k: v for k, v in found.items() if k.startswith("self.")}
    return {}


def _parameters(
    node: ast.FunctionDef, names: dict[str, Any], owner: Any
) -> Iterator[tuple[str, Any]]:
    for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        if argument.arg == "self":
            yield "self", owner
        elif argument.annotation:
            yield argument.arg, _evaluated(argument.annotation, names)


def _type(node: ast.expr, types: dict[str, Any], names: dict[str, Any]) -> Any:
    """Return the type of an expression, or None."""
    match node:
        case ast.Name() | ast.Attribute() if ast.unparse(node) in types:
            return types[ast.unparse(node)]
        case ast.Attribute(value=value, attr=attr):
            return _hints(_type(value, types, names)).get(attr)
        case ast.Call(func=ast.Name(id="read_params"), args=[_, schema]):
            return _evaluated(schema, names)
        case ast.Call(func=ast.Name(id=name)):
            called = names.get(name)
            return called if isinstance(called, type) else _hints(called).get("return")
    return None


def _hints(thing: Any) -> dict[str, Any]:
    return typing.get_type_hints(thing) if hasattr(thing, "__annotations__") else {}


def _evaluated(annotation: ast.expr, names: dict[str, Any]) -> Any:
    return eval(ast.unparse(annotation), names)  # noqa: S307 (our own source)
