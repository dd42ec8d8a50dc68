"""Which stages of a clone are stale, by what `dvc status --json` says, and the report.

DVC's answers are made by hand, with its words; tests/journey.sh has real ones.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments import stale
from tests.repository import ROOT
from tests.small_run import committed

GONE = {"data/packed/images.bin": "deleted"}
UNCACHED = {"data/packed/images.bin": "not in cache"}
EDITED = {"changed deps": {"stages/inter.py": "modified"}}
LACKING = {
    "unzip": [{"changed outs": UNCACHED}],
    "extract": [
        {"changed deps": GONE},
        {"changed outs": {"data/features.npz": "not in cache"}},
    ],
}
NOT_THERE = (
    "WARNING: Some of the cache files do not exist … Missing cache files: md5: 1"
)
# What each command prints is in a file of its name; so is the status of a pull.
FAKE_DVC = r"""#!/usr/bin/env bash
[[ $1 != repro ]] || cp answers/numbers metrics/evaluate.json
[[ ! -e answers/$1 ]] || cat "answers/$1"
[[ $1 != pull ]] || exit "$(<answers/code)"
"""
RAN = "Running stage '{}':\n> python -m stages.{}\n"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("changed command", True),
        ({"changed outs": UNCACHED}, False),
        ({"changed outs": GONE}, False),
        ({"changed deps": GONE}, False),
        ({"changed deps": GONE | {"stages/intra.py": "modified"}}, True),
        ({"changed deps": {"params.yaml": {"intra.lr": "modified"}}}, True),
        ({"changed deps": {"params.yaml": {"intra.lr": "deleted"}}}, True),
        ({"changed deps": {"stages/intra.py": "new"}}, True),
        ({"changed outs": UNCACHED | {"plots/cmc.json": "modified"}}, True),
    ],
)
def test_a_missing_file_makes_no_stage_stale(change: Any, expected: bool) -> None:
    assert stale.is_stale(change) is expected


@pytest.mark.parametrize(
    ("arguments", "told"),
    [([], "- `intra`\n- `inter`\n"), (["--missing"], "- `unzip`\n")],
)
def test_stages_are_listed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    status = {
        "unzip": [{"changed deps": GONE}, {"changed outs": UNCACHED}],
        "split": [{"changed deps": GONE}],
        "intra": [{"changed outs": UNCACHED}, "changed command"],
        "inter": [{"changed deps": {"models/intra.safetensors": "modified"}}],
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(status)))
    stale.main(arguments)
    assert capsys.readouterr().out == told


def test_the_archive_is_read_as_dvc_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In YAML 1.1 this is a number, 83."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("archive: 1:23\n")
    assert stale.archive() == "1:23"


# experiments/check.sh


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Make a repository with the script, and a dvc that gives prepared answers."""
    folder = tmp_path / "clone"
    for path in ("__init__.py", "check.sh", "stale.py"):
        (folder / "experiments").mkdir(parents=True, exist_ok=True)
        copy = folder / "experiments" / path
        copy.write_bytes((ROOT / "experiments" / path).read_bytes())
        copy.chmod(0o755)
    (folder / "metrics").mkdir()
    (folder / "metrics/evaluate.json").write_text("{}")
    (folder / "params.yaml").write_text("archive: data/synthetic/raw/synthetic.zip\n")
    (folder / ".gitignore").write_text("answers/\nbin/\n")
    (folder / "bin").mkdir()
    (folder / "bin/dvc").write_text(FAKE_DVC)
    (folder / "bin/dvc").chmod(0o755)
    committed(folder)
    answer(folder, code="0", pull="", status="{}", numbers="{}")
    return folder


def answer(folder: Path, **texts: str) -> None:
    (folder / "answers").mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"answers/{name}").write_text(text)


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    before = [str(folder / "bin"), str(Path(sys.executable).parent)]
    path = os.pathsep.join([*before, os.environ["PATH"]])
    without = {k: v for k, v in os.environ.items() if k != "GITHUB_STEP_SUMMARY"}
    return subprocess.run(
        ["experiments/check.sh", "main"],
        cwd=folder,
        env=without | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_pull_that_fails_ends_the_check_before_anything_is_run(clone: Path) -> None:
    answer(clone, code="3", pull=f"{NOT_THERE}\nERROR: failed to pull: no route\n")
    answer(clone, repro=RAN.format("intra", "intra"))
    done = check(clone)
    assert done.returncode == 3
    assert done.stderr.endswith("no route\n")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("code", "pull"),
    [("0", NOT_THERE), ("1", "ERROR: failed to pull - Checkout failed for: images")],
)
def test_what_no_remote_has_is_made_again_and_said_so(
    clone: Path, code: str, pull: str
) -> None:
    answer(clone, code=code, pull=pull, status=json.dumps(LACKING))
    answer(clone, repro=RAN.format("unzip", "unzip") + RAN.format("extract", "extract"))
    done = check(clone)
    assert done.returncode == 0, done.stderr
    assert "check: not all outputs are in the remote" in done.stderr
    report = done.stdout.split("### ")[1]
    assert "Every stage has been run as it is committed." in report
    listed = "in no remote:\n\n- `unzip`\n- `extract`\n\nParameters"
    assert f"Made again here, as their outputs are {listed}" in report


def test_each_stage_that_ran_is_told_with_its_reason(clone: Path) -> None:
    ran = ("unzip", "inter", "extract", "evaluate")
    answer(clone, status=json.dumps(LACKING | {"inter": [EDITED]}))
    answer(clone, repro="".join(RAN.format(name, name) for name in ran))
    report = check(clone).stdout.split("### ")[1]
    assert "since their last run:\n\n- `inter`\n\nThey were run" in report
    assert "in no remote:\n\n- `unzip`\n- `extract`\n\n" in report
    assert "came out otherwise:\n\n- `evaluate`\n\n" in report


@pytest.mark.parametrize(
    ("numbers", "status", "told"),
    [
        ("{}", {}, False),
        ('{"mAP": 0.5}', LACKING, True),
        ('{"mAP": 0.5}', LACKING | {"inter": [EDITED]}, False),
    ],
)
def test_other_numbers_without_a_change_are_told(
    clone: Path, numbers: str, status: dict[str, Any], told: bool
) -> None:
    answer(clone, numbers=numbers, status=json.dumps(status))
    report = check(clone).stdout
    assert ("The numbers differ from the committed ones" in report) == told
