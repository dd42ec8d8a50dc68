from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.compare import main
from tests.repository import ROOT
from tests.small_run import committed, git, records

FILES = {
    "metrics/evaluate.json": "metrics",
    "plots/cmc.json": "cmc",
    "plots/pseudo_labels.json": "pseudo_labels",
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, name in FILES.items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(json.dumps(records()[name]))
    committed(tmp_path)
    return tmp_path


def test_runs_become_one_picture(repository, capsys):
    metrics = {**records()["metrics"], "mAP": 0.1}
    Path("metrics/evaluate.json").write_text(json.dumps(metrics))
    main(["main", "workspace", "main"])
    assert capsys.readouterr().out == "reports/compare.png\n"
    both = Path("reports/compare.png").read_bytes()
    main(["main", "--out", "one.png"])
    git(repository, "checkout", "--quiet", ".")
    main(["main", "workspace", "--out", "same.png"])
    pictures = {both, Path("one.png").read_bytes(), Path("same.png").read_bytes()}
    assert len(pictures) == 3
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_an_unknown_run_leaves_no_picture(repository):
    with pytest.raises(SystemExit, match=r"mayn: .* did you mean 'main'"):
        main(["mayn"])
    assert not Path("reports").exists()


def test_without_a_run_the_variable_is_named(repository):
    with pytest.raises(SystemExit, match='REVS="main my-experiment workspace"'):
        main([])


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        (
            "metrics/evaluate.json",
            '{"mAP": 0.1, "mAP_low": 0}',
            "has no mAP_high: name a run of this version",
        ),
        ("metrics/evaluate.json", "[]", "has no mAP: name"),
        ("plots/cmc.json", '[{"rank": 1}]', "has no cmc: name"),
        ("plots/pseudo_labels.json", "[1]", "has no step: name"),
        ("plots/cmc.json", "[", "is damaged, Expecting value.*: name another run"),
        ("plots/cmc.json", b"\xff", "is damaged, .*: name another run"),
    ],
)
def test_files_of_another_version_or_damaged_ones(repository, path, text, told):
    Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SystemExit, match=f"workspace: {path}: {told}"):
        main(["main", "workspace"])
    assert not Path("reports").exists()


def test_too_many_runs(repository):
    for number in range(8):
        git(repository, "branch", f"b{number}")
    with pytest.raises(SystemExit, match="must be 1 to 8, got 9"):
        main(["main", *(f"b{number}" for number in range(8))])


def test_dvc_and_torch_are_not_imported():
    """They take seconds, and git and matplotlib do."""
    command = "import sys, experiments.compare; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"dvc", "torch", "sklearn", "scipy"} & set(done.stdout.split())
