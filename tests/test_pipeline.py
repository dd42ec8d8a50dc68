"""The whole pipeline under real DVC, on the smoke recipe, in a copy of the repository.

The tests share one run and each leaves the copy as it found it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.repository import ROOT, entries, leaves, pipeline, unignored, written, yaml

pytestmark = pytest.mark.pipeline

VENV = Path(sys.prefix)
MAKE = ("make", f"VENV={VENV}", f"--old-file={VENV / '.runtime'}")  # install nothing
UP_TO_DATE = "Data and pipelines are up to date."


@dataclass(frozen=True)
class Clone:
    """A copy of the repository, and commands in it."""

    folder: Path

    def run(self, *command: str, status: int = 0) -> str:
        """Run a command that ends with this status; return all that it printed."""
        settings = self.folder.parent / "settings"  # nobody's own DVC settings
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ
            | {
                "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "OMP_WAIT_POLICY": "passive",
                "DVC_GLOBAL_CONFIG_DIR": str(settings / "global"),
                "DVC_SYSTEM_CONFIG_DIR": str(settings / "system"),
                "DVC_SITE_CACHE_DIR": str(settings / "cache"),
                "GIT_CONFIG_GLOBAL": os.devnull,
                **{f"GIT_{who}_NAME": "test" for who in ("AUTHOR", "COMMITTER")},
                **{f"GIT_{who}_EMAIL": "test@test" for who in ("AUTHOR", "COMMITTER")},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def dvc(self, *arguments: str, status: int = 0) -> str:
        return self.run("dvc", *arguments, status=status)

    def restore(self) -> None:
        """Bring back the committed files and their outputs."""
        self.run("git", "checkout", "--quiet", "--force", "main")
        self.dvc("checkout", "--quiet")

    def outputs(self) -> dict[str, str]:
        """Return the md5 of every output that is there, cached or in git."""
        paths = {path for stage in pipeline().values() for path in written(stage)}
        files = {path: self.folder / path for path in paths}
        return {
            path: hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
            for path, file in files.items()
            if file.exists()
        }

    def lock(self) -> str:
        return (self.folder / "dvc.lock").read_text()

    def hashes(self) -> dict[str, str]:
        """Return the md5 of every output that DVC caches."""
        locked = yaml(str(self.folder / "dvc.lock"))["stages"].values()
        outs = {out["path"]: out["md5"] for stage in locked for out in stage["outs"]}
        cached = {path for path in outs if not path.endswith(".json")}
        return {path: outs[path] for path in cached}

    def set_param(self, old: str, new: str) -> None:
        path = self.folder / "params.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def ran(output: str) -> list[str]:
    """Return the stages that DVC ran."""
    lines = output.splitlines()
    return [line.split("'")[1] for line in lines if line.startswith("Running stage")]


def objects(store: Path) -> set[str]:
    """Return the md5s of what a remote holds."""
    return {path.parent.name + path.name for path in store.glob("files/md5/*/*")}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a committed copy in which the smoke recipe has run."""
    folder = tmp_path_factory.mktemp("pipeline") / "clone"
    for path in unignored():
        if not path.startswith(".dvc-store/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes((ROOT / path).read_bytes())
    (folder / "dvc.lock").unlink(missing_ok=True)
    made = Clone(folder)
    made.run("git", "init", "--quiet", "--initial-branch=main")
    made.run("python", "-m", "recipes", "--force", "smoke")
    assert ran(made.dvc("repro")) == list(pipeline())
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message=smoke")
    return made


def test_every_output_is_there_and_git_holds_what_it_should(clone: Clone) -> None:
    tracked_there = clone.run("git", "ls-files").split()
    for stage in pipeline().values():
        for path in written(stage):
            assert (clone.folder / path).stat().st_size > 0
            assert (path in tracked_there) == path.endswith(".json")
    metrics = json.loads((clone.folder / "metrics/evaluate.json").read_text())
    assert 0 < metrics["mAP"] <= 1
    assert clone.run("git", "status", "--porcelain") == ""


def test_metrics_and_params_do_not_share_names(clone: Clone) -> None:
    """`dvc exp show` prints both in one table and would prefix the columns."""
    params = set(leaves(yaml("params.yaml"), set()))
    for stage in pipeline().values():
        for path in entries(stage, "metrics"):
            metrics = json.loads((clone.folder / path).read_text())
            assert not params & {*leaves(metrics, set())}, path


def test_nothing_runs_twice(clone: Clone) -> None:
    output = clone.dvc("repro")
    assert ran(output) == []
    assert UP_TO_DATE in output


def test_a_parameter_of_evaluate_runs_evaluate_only(clone: Clone) -> None:
    assert ran(clone.dvc("exp", "run", "-S", "evaluate.max_rank=5")) == ["evaluate"]
    assert len(json.loads((clone.folder / "plots/cmc.json").read_text())) == 5
    clone.restore()
    assert UP_TO_DATE in clone.dvc("repro")


def test_a_bad_archive_is_told_in_a_line_and_nothing_is_lost(clone: Clone) -> None:
    before = clone.outputs()
    assert clone.hashes().items() <= before.items()
    (clone.folder / "data/bad/raw").mkdir(parents=True)
    (clone.folder / "data/bad/raw/bad.zip").write_bytes(b"no zip")
    clone.set_param("data/synthetic/raw/synthetic.zip", "data/bad/raw/bad.zip")
    told = "data/bad/raw/bad.zip: not a zip file, or not all of it"

    # By hand, the stage leaves its outputs alone.
    assert clone.run("python", "-m", "stages.unzip", status=1).startswith(told)
    assert clone.outputs() == before

    # DVC takes them away before it runs the stage, and has them in its cache.
    output = clone.run(*MAKE, "repro", status=2)
    assert f"\n{told}" in output
    assert "Traceback" not in output
    assert "synthesize" not in output, "the archive is another one"
    assert "data/bad" not in clone.run("git", "status", "--porcelain")
    assert before.keys() - clone.outputs().keys() == {*written(pipeline()["unzip"])}
    clone.run("git", "checkout", "--quiet", "metrics", "plots")
    clone.dvc("checkout")
    assert clone.outputs() == before
    clone.restore()
    assert UP_TO_DATE in clone.dvc("repro")


def test_pushing_sends_no_image_of_the_dataset(clone: Clone, tmp_path: Path) -> None:
    clone.dvc("remote", "add", "--local", "mine", str(tmp_path))
    for arguments in (
        (),
        ("data/packed/images.bin",),
        ("--all-commits", "--run-cache"),
    ):
        clone.dvc("push", "--remote=mine", *arguments)
    hashes = clone.hashes()
    kept = {path for path in hashes if hashes[path] not in objects(tmp_path)}
    assert kept == {"data/packed/images.bin", "data/features.npz", "plots/ranked.png"}


def test_saving_an_experiment_puts_no_image_into_git(clone: Clone) -> None:
    """It adds plots that belong to no stage by force, whatever is ignored."""
    clone.dvc("exp", "save", "--name", "saved")
    ref = clone.run("git", "for-each-ref", "--format=%(refname)", "refs/exps/**/saved")
    there = clone.run("git", "ls-tree", "-r", "--name-only", ref.strip()).split()
    assert {"dvc.lock", "plots/cmc.json"} <= {*there}
    cached = {path for path in clone.hashes() if path in there}
    assert cached == set()
    clone.dvc("exp", "remove", "saved")
    clone.restore()


def test_the_store_completes_a_fresh_clone(clone: Clone, tmp_path: Path) -> None:
    params = clone.folder / "params.yaml"
    (clone.folder / "recipes/default.yaml").write_bytes(params.read_bytes())
    clone.run(*MAKE, "store")
    assert objects(clone.folder / ".dvc-store") == set(clone.hashes().values())
    assert not (clone.folder / ".dvc/tmp/store").exists()
    clone.run("git", "commit", "--quiet", "--all", "--message=store")
    fresh = Clone(tmp_path / "fresh")
    clone.run("git", "clone", "--quiet", ".", str(fresh.folder))
    fresh.dvc("pull")
    fresh.dvc("status", "--quiet")
    assert UP_TO_DATE in fresh.dvc("repro")
    clone.run("git", "reset", "--quiet", "--hard", "HEAD~")


def test_a_store_that_cannot_be_whole_takes_no_place(clone: Clone) -> None:
    params = clone.folder / "params.yaml"
    (clone.folder / "recipes/default.yaml").write_bytes(params.read_bytes())
    earlier = clone.folder / ".dvc-store/earlier"
    earlier.parent.mkdir(exist_ok=True)
    earlier.touch()
    too_large = clone.run(*MAKE, "store", "STORE_LIMIT_MB=0", status=2)
    assert "store: must be at most 0 MB, got " in too_large

    md5 = clone.hashes()["data/split/truth.csv"]
    lost = clone.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    data = lost.read_bytes()
    lost.unlink()
    assert "store: the pipeline is not up" in clone.run(*MAKE, "store", status=2)
    # `dvc status` has seen it; what comes after must not rest on that.
    blind = 'DVC=f() { [[ $$1 = status ]] || dvc "$$@"; }; f'
    output = clone.run(*MAKE, "store", blind, status=2)
    assert "store: the cache lacks data/split/truth.csv" in output
    lost.write_bytes(data)

    assert earlier.exists()
    assert not (clone.folder / ".dvc/tmp/store").exists()
    earlier.unlink()
    clone.restore()


def test_only_the_default_run_may_fill_the_store(clone: Clone) -> None:
    assert "params.yaml is not the default" in clone.run(*MAKE, "store", status=2)


def test_the_same_bytes_again(clone: Clone) -> None:
    """Training too: tests/test_determinism.py, which starts torch once for all."""
    before = clone.lock()
    stages = ["synthesize", "unzip", "split", "evaluate"]
    assert ran(clone.dvc("repro", "--force", "--single-item", *stages)) == stages
    assert clone.lock() == before
    assert clone.run("git", "status", "--porcelain") == ""
