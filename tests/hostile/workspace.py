"""A workspace in which every stage has run, and one stage run in it once more."""

from __future__ import annotations

import logging
import os
import re
import runpy
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from crosscam.files import write_npz
from tests.hostile.case import Builder
from tests.repository import ROOT
from tests.zips import market_members, write_zip

ARCHIVE = "data/own/raw/a.zip"
CANARY = "canary/untouched.txt"  # beside the workspace
SMALLER = {  # a network that is made in a tenth of a second
    r"^archive: \S+": f"archive: {ARCHIVE}",
    r"^  backbone: \w+": "  backbone: test_convnext",
    r"options: \{.*\}": "options: {}",
    r"checkpoint: \S+": "checkpoint: none",
    r"device: auto": "device: cpu",
    r"bootstrap: \d+": "bootstrap: 20",
    r"ranked_queries: \d+": "ranked_queries: 2",
}


def small_params() -> str:
    """Return the default parameters, changed to run in no time."""
    text = (ROOT / "recipes/default.yaml").read_text()
    for old, new in SMALLER.items():
        text, times = re.subn(old, new, text, flags=re.MULTILINE)
        assert times == 1, old
    return text


def make_template(folder: Path) -> None:
    """Run the stages that can be refused something in an empty folder.

    Training is left out: its stages read parameters, tables and checkpoints by the same
    functions as the others do, and take longer.
    """
    (folder / ARCHIVE).parent.mkdir(parents=True)
    (folder / "params.yaml").write_text(small_params())
    members = market_members("Market")
    write_zip(folder / ARCHIVE, members)
    num_train = sum("_train/" in name for name in members)
    for name in ("intra", "inter"):
        labels = {"labels": np.arange(num_train)[None, :] // 4}
        write_npz(folder / f"data/pseudo/{name}.npz", labels)
    (folder / "models/weights").mkdir(parents=True)
    for stage in ("unzip", "split", "extract"):
        assert outcome(folder, [f"stages.{stage}"]) is None


def spoiled(template: Path, parent: Path, build: Builder) -> Path:
    """Return a copy of the template that a builder has spoiled, beside a canary."""
    folder = parent / "workspace"
    shutil.copytree(template, folder)
    (parent / CANARY).parent.mkdir()
    (parent / CANARY).write_text("as it was")
    build(folder)
    return folder


def outcome(folder: Path, command: Sequence[str]) -> str | None:
    """Run a module as a program in a folder; return what it said when it gave up."""
    name, *arguments = command
    path = ROOT.joinpath(*name.split("."))
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    with _as_a_program(folder, [str(path), *arguments]):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as refusal:
            return str(refusal.code)
    return None


@contextmanager
def _as_a_program(folder: Path, arguments: list[str]) -> Iterator[None]:
    """Be in a folder with these arguments, and leave no handler of the log behind."""
    before, handlers, given = Path.cwd(), logging.root.handlers[:], sys.argv
    os.chdir(folder)
    sys.argv = arguments
    try:
        yield
    finally:
        os.chdir(before)
        sys.argv = given
        logging.root.handlers[:] = handlers


def snapshot(parent: Path) -> dict[str, tuple[int, bytes]]:
    """Return kind, rights and contents of everything below a folder, by its path."""
    found = {}
    for path in sorted(parent.rglob("*")):
        mode = path.lstat().st_mode
        data = path.read_bytes() if stat.S_ISREG(mode) else b""
        data = os.fsencode(path.readlink()) if path.is_symlink() else data
        found[str(path.relative_to(parent))] = (mode, data)
    return found
