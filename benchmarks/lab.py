"""Runs of the stages in folders of their own, each under a variation's settings.

Not a program of its own; needs Linux.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from benchmarks.variations import Variation

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("synthesize", "unzip", "split", "intra", "inter", "extract", "evaluate")
UNPACKING, TESTING = STAGES[1:3], STAGES[5:]
ZIP, FOLDER = "data/synthetic/raw/synthetic.zip", "data/mine/raw/folder"
WEIGHTS, DOWNLOADED = "models/weights", shutil.ignore_patterns("*.safetensors")
HOOKS = ROOT / "benchmarks/hooks"
OUTPUTS = ("data", "metrics", "models", "plots")


class Ran(NamedTuple):
    """A finished run: its workspace, and the processor's seconds in its programs."""

    folder: Path
    seconds: float

    def md5s(self) -> dict[str, str]:
        """Return the md5 of every file that the stages wrote."""
        files = (p for top in OUTPUTS for p in (self.folder / top).rglob("*"))
        return {
            path.relative_to(self.folder).as_posix(): hashlib.md5(
                path.read_bytes(), usedforsecurity=False
            ).hexdigest()
            for path in sorted(files)
            if path.is_file() and not path.is_relative_to(self.folder / FOLDER)
            if not path.is_relative_to(self.folder / WEIGHTS)
        }


class Lab(NamedTuple):
    """Where runs take place: an empty folder, and the parameters of all of them."""

    top: Path
    params: str

    def run(self, name: str, how: Variation, drawn: Ran | None = None) -> Ran:
        """Run all stages; those that unpack, if the dataset is that of another run."""
        folder = self.workspace(name, how)
        if drawn:
            fill(folder / FOLDER, drawn.folder / ZIP, backwards=how.backwards)
        return Ran(folder, self._timed(folder, how, UNPACKING if drawn else STAGES))

    def test(self, name: str, how: Variation, trained: Ran) -> Ran:
        """Extract and evaluate what another run has trained."""
        folder = self.workspace(name, how)
        for top in OUTPUTS:
            shutil.copytree(trained.folder / top, folder / top, dirs_exist_ok=True)
        return Ran(folder, self._timed(folder, how, TESTING))

    def workspace(self, name: str, how: Variation) -> Path:
        """Return a new folder with the code, the parameters and what Python reads."""
        folder = self.top / name / how.folder
        for package in ("crosscam", "stages"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, folder / package, ignore=ignored)
        shutil.copytree(ROOT / WEIGHTS, folder / WEIGHTS, ignore=DOWNLOADED)
        with (folder / "params.yaml").open("w", encoding="utf-8") as file:
            YAML().dump(changed(self.params, how.params), file)
        shutil.copytree(HOOKS, folder / "hooks")
        imports = "".join(f"import {hook}\n" for hook in how.hooks)
        (folder / "hooks/sitecustomize.py").write_text(imports)
        return folder

    def _timed(self, folder: Path, how: Variation, stages: Sequence[str]) -> float:
        """Run stages one after the other; return the seconds they computed."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for stage in stages:
            self.python(folder, how, "-m", f"stages.{stage}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def python(self, folder: Path, how: Variation, *arguments: str) -> str:
        """Run Python in a workspace; return what it printed."""
        env = {**os.environ, "OMP_WAIT_POLICY": "passive", **how.env}
        if "_" in env.get("LC_ALL", ""):
            env["LOCPATH"] = str(made(self.top / "locales", env["LC_ALL"]))
        done = subprocess.run(
            [*how.prefix, sys.executable, *how.flags, *arguments],
            cwd=folder,
            env=env | {"PYTHONPATH": str(folder / "hooks")},
            umask=how.umask,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            text = done.stderr.decode(errors="replace")
            raise RuntimeError(f"{how.label}: {arguments} failed:\n{text}")
        return done.stdout.decode()


def changed(params: str, changes: dict[str, Any]) -> Any:
    """Return a tree of parameters with values by dotted path set."""
    tree = YAML().load(params)
    for path, value in changes.items():
        section, _, key = path.rpartition(".")
        (tree[section] if section else tree)[key] = value
    return tree


def fill(folder: Path, archive: Path, *, backwards: bool) -> None:
    """Unpack a dataset, in order of the names or against it."""
    with zipfile.ZipFile(archive) as file:
        for name in sorted(file.namelist(), reverse=backwards):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(file.read(name))


def made(folder: Path, locale: str) -> Path:
    """Return a folder with a locale compiled from glibc's sources."""
    if not (folder / locale).exists():
        folder.mkdir(exist_ok=True)
        language, _, charset = locale.partition(".")
        # Status 1 means warnings.
        command = ["localedef", "-c", "-i", language, "-f", charset, folder / locale]
        subprocess.run(command, capture_output=True, check=False)
    if not (folder / locale).exists():
        raise RuntimeError(f"locale {locale}: localedef cannot make it")
    return folder
