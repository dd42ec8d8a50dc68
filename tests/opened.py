"""Which files of a workspace a program opens, by Python's audit events."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.variations import Variation

LISTED = Variation("", "listed", hooks=("opened",))
# As crosscam.files names what it writes until it is whole.
TEMPORARY = re.compile(r"\.(.+?)(?:\.\d+)?\.\w+\.tmp")
COMPILED = re.compile(r"__pycache__/(\w+)\..*")


def opened_by(lab: Lab, folder: Path, *arguments: str) -> set[str]:
    """Return the files that Python opened in a workspace, run with these arguments.

    A temporary file has the name of its target, a compiled module that of its source.
    Folders are left out, and so are the hooks and what can hold no data: the
    docstrings of packages, dvc.yaml, dvc.lock with its hashes, and a run's own state.
    """
    told = lab.top / "opened.json"
    lab.python(folder, LISTED._replace(env={"OPENED": str(told)}), *arguments)
    paths = [Path(path) for path in json.loads(told.read_text())]
    files = [p for p in paths if p.is_relative_to(folder) and not p.is_dir()]
    names = {_source(p.relative_to(folder)) for p in files}
    spared = ("hooks/", ".runs/", "dvc.yaml", "dvc.lock")
    return {n for n in names if not n.startswith(spared) and "__init__" not in n}


def _source(path: Path) -> str:
    path = path.with_name(TEMPORARY.sub(r"\1", path.name))
    return COMPILED.sub(r"\1.py", path.as_posix())
