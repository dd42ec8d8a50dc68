from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.full_disk import fill_disk
from tests.hostile.workspace import outcome

PARAMS = """synthesize: {seed: 1, train_pids: 1, test_pids: 1, cameras: 2,
  images_per_tracklet: 2, distractors: 0, junk: 0}
"""
OUTPUT = "data/synthetic/raw/synthetic.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with nothing but parameters."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def test_output(folder: Path) -> None:
    assert outcome(folder, ["stages.synthesize"]) is None
    with zipfile.ZipFile(folder / OUTPUT) as archive:
        assert {name.split("/")[1] for name in archive.namelist()} >= {
            "bounding_box_test",
            "bounding_box_train",
            "query",
        }


def test_a_full_disk_is_told_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_disk(monkeypatch, after=0)
    told = f"[Errno 28] No space left on device: '{OUTPUT}'"
    assert outcome(folder, ["stages.synthesize"]) == told
    assert not any((folder / OUTPUT).parent.iterdir())


def test_a_file_in_place_of_a_folder_is_told_in_a_line(folder: Path) -> None:
    (folder / "data/synthetic").mkdir(parents=True)
    (folder / "data/synthetic/raw").touch()
    told = "[Errno 17] File exists: 'data/synthetic/raw'"
    assert outcome(folder, ["stages.synthesize"]) == told
