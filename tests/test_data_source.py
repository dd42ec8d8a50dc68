from __future__ import annotations

from pathlib import Path

import pytest

from crosscam.data.faults import DataError
from crosscam.data.source import open_source
from tests.zips import write_folder, write_zip

FILES = {"a": b"11", "b/c": b"2"}


def test_zip_and_folder_are_read_alike(tmp_path: Path) -> None:
    paths = write_zip(tmp_path / "a.zip", FILES), write_folder(tmp_path / "f", FILES)
    for path in paths:
        with open_source(path) as source:
            assert source.faults == {}
            assert {name: source.read(name) for name in source.names} == FILES


def test_missing_path_is_told_as_a_missing_zip(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: no such file: put the dataset's zip"):
        open_source(tmp_path / "gone")
