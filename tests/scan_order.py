"""Finding code whose result depends on an order that nothing determines.

Sets are in another order in each process (texts are hashed with a random seed), and
the entries of a folder come as the file system has them. What is a set or a listing is
known by its form, and within a function by assignment and annotation; of functions of
ours by the annotated result. It is not followed into containers, nor into arguments
without an annotation.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

SET_TYPES = {"set", "frozenset", "Set", "AbstractSet", "MutableSet"}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference", "copy"}
LISTINGS = {"listdir", "scandir", "walk", "iterdir", "glob", "rglob", "iglob"}
LISTINGS |= {"as_completed", "imap_unordered"}  # in order of who is ready first
# These give the same for any order of what they get …
ORDER_FREE = {"sorted", "set", "frozenset", "len", "any", "all", "min", "max", "bool"}
ORDER_FREE |= {"issubset", "issuperset", "isdisjoint", *SET_METHODS}
# … these have the order of what they get, and are looked at by who gets them …
LAZY = {"map", "filter", "zip", "iter"}
# … and these end in it. (A sum of floats has other last digits in another order.)
ORDERED = {"list", "tuple", "dict", "enumerate", "next", "reversed", "fromkeys", "join"}
ORDERED |= {"array", "asarray", "fromiter", "tensor", "as_tensor", "concatenate", "cat"}
ORDERED |= {"stack", "Series", "Index", "DataFrame", "concat", "str", "repr", "dumps"}
ORDERED |= {
    "extend",
    "deque",
    "islice",
    "chain",
    "from_iterable",
    "sum",
    "fsum",
    "prod",
}
OF_SETS = ast.BitOr | ast.BitAnd | ast.BitXor | ast.Sub
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Parents = dict[ast.AST, ast.AST]


class Known(NamedTuple):
    """What holds a set or a listing: names of a scope, attributes, functions."""

    names: set[str]
    attributes: set[str]
    functions: set[str]


def order_faults(tree: ast.Module, functions: set[str]) -> list[tuple[int, str]]:
    """Return line and text of each expression whose order is used but undetermined.

    Parameters
    ----------
    tree
        Of a module.
    functions
        Names of functions elsewhere whose result is a set.
    """
    nodes = list(ast.walk(tree))
    parents = {kid: node for node in nodes for kid in ast.iter_child_nodes(node)}
    attributes = {name_of(n.target) for n in nodes if _declares_set(n)}
    functions = functions | set_functions(tree)
    found = set()
    for scope in [tree, *(node for node in nodes if isinstance(node, Function))]:
        known = Known(_arguments(scope), attributes, functions)
        for _ in range(3):  # in a loop, a name can be bound further down
            bound = [pair for node in own_nodes(scope) for pair in _bindings(node)]
            known.names.update(n for n, value in bound if unordered(value, known))
        found |= {
            (node.lineno, ast.unparse(node))
            for node in own_nodes(scope)
            if isinstance(node, ast.expr)
            if unordered(node, known) and is_used(node, parents)
        }
    return sorted(found)


def set_functions(tree: ast.Module) -> set[str]:
    """Return the names of a module's functions whose annotated result is a set."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    found = [node for node in ast.walk(tree) if isinstance(node, functions)]
    return {node.name for node in found if _is_set_type(node.returns)}


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a scope that are not those of a function in it."""
    for kid in ast.iter_child_nodes(scope):
        yield kid
        if not isinstance(kid, Function):
            yield from own_nodes(kid)


def name_of(node: ast.AST | None) -> str:
    """Return the last part of a dotted name, or nothing."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def unordered(node: ast.AST, known: Known) -> bool:  # noqa: PLR0911 (one a form)
    """Return whether an expression's elements come in no determined order."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name):
            return name in known.names
        case ast.Attribute(attr=name):
            return name in known.attributes
        case ast.BinOp(left=left, op=operator, right=right):
            sides = any(unordered(s, known) or _is_keys(s) for s in (left, right))
            return sides and isinstance(operator, OF_SETS)
        case ast.IfExp(body=one, orelse=other):
            return unordered(one, known) or unordered(other, known)
        case ast.NamedExpr(value=value):
            return unordered(value, known)
        case ast.Call():
            return _calls(node, known)
    return False


def _calls(node: ast.Call, known: Known) -> bool:
    """Return whether a call gives something in no determined order."""
    name = name_of(node.func)
    if name in {"set", "frozenset", *LISTINGS, *known.functions}:
        return True
    if name in SET_METHODS and isinstance(node.func, ast.Attribute):
        return unordered(node.func.value, known)
    return name in LAZY and any(unordered(a, known) for a in node.args)


def is_used(node: ast.AST, parents: Parents) -> bool:  # noqa: PLR0911 (one a form)
    """Return whether the order of an expression decides what its parent does."""
    match parent := parents[node]:
        case ast.For() | ast.AsyncFor():
            return parent.iter is node
        case ast.comprehension():
            whole = parents[parent]
            return parent.iter is node and not (
                isinstance(whole, ast.SetComp) or _is_free(whole, parents)
            )
        case ast.Starred():
            return not isinstance(parents[parent], ast.Set)
        case ast.Call():
            name = name_of(parent.func)
            lazy = name in LAZY and not _is_free(parent, parents)
            return node in parent.args and (lazy or name in ORDERED)
        case ast.Assign(targets=[ast.Tuple(elts=elements)]):
            return len(elements) > 1
        case ast.Attribute(attr=name):
            return name == "pop"
        case ast.Return():
            return isinstance(node, ast.Call) and name_of(node.func) in LISTINGS
        case ast.FormattedValue() | ast.YieldFrom() | ast.Subscript():
            return True
    return False


def _is_free(node: ast.AST, parents: Parents) -> bool:
    parent = parents[node]
    return isinstance(parent, ast.Call) and name_of(parent.func) in ORDER_FREE


def _is_keys(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and name_of(node.func) in {"keys", "items"}


def _is_set_type(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.BinOp):
        return _is_set_type(node.left) or _is_set_type(node.right)
    return name_of(node) in SET_TYPES


def _declares_set(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and _is_set_type(node.annotation)


def _arguments(scope: ast.AST) -> set[str]:
    if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        return set()
    every = [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]
    return {arg.arg for arg in every if _is_set_type(arg.annotation)}


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the plain names that a node binds, each with its value."""
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((name_of(t), value) for t in targets if name_of(t))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.NamedExpr(target=ast.Name(id=name), value=value):
            yield name, value
        case ast.withitem(context_expr=value, optional_vars=ast.Name(id=name)):
            yield name, value
