"""Reading the repository itself: pipeline, imports, docstrings and what git holds."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PACKAGES = ("crosscam", "experiments", "recipes", "stages")


def yaml(path: str) -> Any:
    return YAML(typ="safe", pure=True).load(ROOT / path)


def pipeline() -> dict[str, Any]:
    return yaml("dvc.yaml")["stages"]


def entries(stage: dict[str, Any], kind: str) -> Iterator[str]:
    """Yield the paths of one kind of output, given with options or without."""
    for entry in stage.get(kind, []):
        yield entry if isinstance(entry, str) else next(iter(entry))


def written(stage: dict[str, Any]) -> Iterator[str]:
    for kind in ("outs", "metrics", "plots"):
        yield from entries(stage, kind)


def params_class(name: str) -> Any:
    return importlib.import_module(f"stages.{name}").Params


def leaves(tree: Any, whole: set[str], where: str = "") -> Iterator[str]:
    """Yield the dotted paths of all values; a mapping in `whole` counts as one."""
    if not isinstance(tree, dict) or where in whole:
        yield where
        return
    for key, value in tree.items():
        yield from leaves(value, whole, f"{where}.{key}" if where else key)


def contract(name: str) -> dict[str, set[str]]:
    """Return what the docstring of a stage says it reads, writes and takes."""
    doc = ast.get_docstring(tree_of(f"stages/{name}.py")) or ""
    fields = re.findall(
        r"^(Reads|Writes|Params)\b((?:.+\n?)(?:[ \t]+.+\n?)*)", doc, re.M
    )
    return {field: paths(text) for field, text in fields}


def paths(text: str) -> set[str]:
    """Return the comma-separated paths of a text, braces expanded as in a shell."""
    words = re.split(r",\s*(?![^{}]*\})", text.strip())
    return {path for word in words for path in expand(word)} - {"nothing", ""}


def expand(word: str) -> list[str]:
    match = re.search(r"(?<!\$)\{([^{}]*)\}", word)
    if not match:
        return [word]
    head, tail = word[: match.start()], word[match.end() :]
    return [p for option in match[1].split(",") for p in expand(head + option + tail)]


def python_files(dep: str) -> list[str]:
    """Return a module, or the modules of a folder: all but the docstring-only ones."""
    path = ROOT / dep
    found = path.rglob("*.py") if path.is_dir() else [path]
    names = (p.relative_to(ROOT).as_posix() for p in found if p.name != "__init__.py")
    return sorted(names)


@cache
def sources() -> list[str]:
    return [path for package in PACKAGES for path in python_files(package)]


@cache
def tree_of(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@cache
def imports(path: str) -> set[str]:
    """Return our modules that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return {f"{str(name).replace('.', '/')}.py" for name in names} & {*sources()}


def closure(path: str) -> set[str]:
    found: set[str] = set()
    stack = [path]
    while stack:
        path = stack.pop()
        if path not in found:
            found.add(path)
            stack += imports(path)
    return found


def rooms_and_modules(files: set[str]) -> list[str]:
    """Return files as deps: a folder stands for its files where all are there."""
    deps = set()
    for path in files:
        room = Path(path).parent.as_posix()
        whole = room not in PACKAGES and files.issuperset(python_files(room))
        deps.add(room if whole else path)
    return sorted(deps)


def room_of(path: str) -> str:
    parts = Path(path).with_suffix("").parts
    return parts[0] if parts[0] != "crosscam" else ".".join(parts[:2])


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """Return a circle of a directed graph, or None if it has none."""
    done: set[str] = set()

    def visit(node: str, trail: list[str]) -> list[str] | None:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return None
        found = [visit(n, [*trail, node]) for n in sorted(graph.get(node, ()))]
        done.add(node)
        return next((each for each in found if each), None)

    return next((found for node in sorted(graph) if (found := visit(node, []))), None)


def definitions(path: str) -> Iterator[ast.FunctionDef]:
    """Yield public functions, and public methods of public classes."""
    scopes: list[Any] = [tree_of(path)]
    for scope in scopes:
        for node in scope.body:
            if getattr(node, "name", "_").startswith("_"):
                continue
            if isinstance(node, ast.ClassDef):
                scopes.append(node)
            elif isinstance(node, ast.FunctionDef):
                yield node


def documented(node: ast.FunctionDef) -> list[str]:
    """Return the names under "Parameters" in a numpy docstring."""
    lines = [*(ast.get_docstring(node) or "").splitlines(), "", ""]
    if "Parameters" not in lines:
        return []
    start = lines.index("Parameters") + 2
    stop = next(
        (i - 1 for i in range(start, len(lines)) if re.fullmatch("-{3,}", lines[i])),
        len(lines),
    )
    heads = [line for line in lines[start:stop] if line and not line.startswith(" ")]
    return [name.strip(" *") for head in heads for name in head.split(",")]


def arguments(node: ast.FunctionDef) -> list[str]:
    a = node.args
    every = [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg]
    return [arg.arg for arg in every if arg and arg.arg not in {"self", "cls"}]


def ignored(path: str) -> bool:
    command = ["git", "check-ignore", "--quiet", "--no-index", path]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


@cache
def tracked() -> list[str]:
    command = ["git", "ls-files", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [path for path in done.stdout.split("\0") if path]
    assert files, "git tracks nothing: commit first"
    return files


def unignored() -> list[str]:
    """Return the files that git tracks or would track: the tree as it is now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in done.stdout.split("\0") if (ROOT / path).is_file()]


def committed(path: str) -> bytes:
    """Return a file as the last commit has it."""
    command = ["git", "show", f"HEAD:{path}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
