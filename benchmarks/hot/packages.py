"""Single modules of peers' packages, without the rest of the package.

fast-reid and torchreid import all of themselves, and tools that nobody needs here, when
one of their modules is imported.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def module_of(package: str, pattern: str) -> ModuleType:
    """Return the module in the one file of a package that matches a pattern.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed, or that part of it was not built.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is not installed: make bench does it")
    found = sorted(Path(spec.submodule_search_locations[0]).glob(pattern))
    if not found:
        raise ModuleNotFoundError(f"{package} has no {pattern}: it was not built")
    name = found[0].name.partition(".")[0]
    inner = importlib.util.spec_from_file_location(name, found[0])
    if inner is None or inner.loader is None:
        raise ModuleNotFoundError(f"{found[0]} is no module")
    module = importlib.util.module_from_spec(inner)
    inner.loader.exec_module(module)
    return module
