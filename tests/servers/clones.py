"""Copies of the repository, and commands in them that see nobody's own settings."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
# push: false in dvc.yaml
KEPT_BACK = {"data/packed/images.bin", "data/features.npz", "plots/ranked.png"}
UP_TO_DATE = "Data and pipelines are up to date."
NOTHING_TO_SEND = "Everything is up to date."


@dataclass(frozen=True)
class Clone:
    """A copy of the repository in a folder of its own."""

    folder: Path

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command that succeeds, or fails; return all that it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=settings(self.folder.parent),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def dvc(self, *arguments: str, fails: bool = False) -> str:
        return self.run("dvc", *arguments, fails=fails)

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments)

    def clone(self, folder: Path) -> Clone:
        """Return a fresh clone."""
        fresh = Clone(folder)
        folder.mkdir()
        fresh.git("clone", "--quiet", str(self.folder), ".")
        return fresh

    def copy(self, folder: Path) -> Clone:
        """Return a copy with all outputs and the cache."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Clone(folder)

    def outputs(self) -> dict[str, str]:
        """Return the md5 that dvc.lock has for each output of DVC's cache."""
        stages = YAML(typ="safe").load(self.folder / "dvc.lock")["stages"].values()
        outs = {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}
        return {path: outs[path] for path in outs if not path.endswith(".json")}

    def sent(self) -> dict[str, str]:
        """Return the same of those that a push sends."""
        outs = self.outputs()
        return {path: outs[path] for path in outs if path not in KEPT_BACK}

    def there(self) -> dict[str, str]:
        """Return the md5 that each of them has, as far as they are there."""
        return {
            path: md5(file.read_bytes())
            for path in self.outputs()
            if (file := self.folder / path).exists()
        }


def settings(folder: Path) -> dict[str, str]:
    """Return the environment of somebody who has set nothing, at home in `folder`."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "DVC_GLOBAL_CONFIG_DIR": str(home / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "system"),
        "DVC_SITE_CACHE_DIR": str(home / "cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_NAME": "test" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "test@test" for who in ("AUTHOR", "COMMITTER")},
        # Without credentials it asks the network, and without a server five times.
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "2",
    }


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
