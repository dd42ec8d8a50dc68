from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crosscam.data.faults import DataError
from crosscam.data.pids import Counts
from crosscam.params import ParamsError
from stages import unzip
from tests.zips import add_member, market_members, write_zip

OUTPUTS = ("data/packed/images.bin", "data/packed/index.csv", "metrics/unzip.json")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder with parameters."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("archive: raw/a.zip\nseed: 1\n")
    (tmp_path / "raw").mkdir()
    return tmp_path


def outputs(folder: Path) -> dict[str, bytes]:
    """Return the files that a run left, other than what `folder` began with."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    given = {folder / "params.yaml", folder / "raw/a.zip"}
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if p not in given}


def test_outputs(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_zip(folder / "raw/a.zip", market_members())
    add_member(path, "__MACOSX/._a", b"")
    add_member(path, "readme.txt", b"")
    with caplog.at_level(logging.INFO):
        unzip.main()
    assert sorted(outputs(folder)) == sorted(OUTPUTS)
    report = json.loads((folder / "metrics/unzip.json").read_text())
    assert report["file"] == "a.zip"
    assert report["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (report["known"], report["layout"]) == (None, "market1501")
    assert report["counts"]["gallery"] == {
        "images": 6, "identities": 2, "cameras": 2, "junk": 1, "distractors": 1,
    }  # fmt: skip
    assert report["published"]["train"]["images"] == 12_936
    assert report["agrees"] is False
    assert report["ignored"] == {"macOS metadata": 1, "readme": 1}
    assert "published counts agree: False, known md5: None" in caplog.text
    assert "ignored members: {'macOS metadata': 1, 'readme': 1}" in caplog.text


def test_synthetic_dataset_has_nothing_to_agree_with(folder: Path) -> None:
    write_zip(folder / "raw/a.zip", market_members("synthetic"))
    unzip.main()
    report = json.loads((folder / "metrics/unzip.json").read_text())
    assert (report["layout"], report["published"], report["agrees"]) == (
        "synthetic", None, None,
    )  # fmt: skip


def test_counts_that_agree_and_a_known_archive(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_zip(folder / "raw/a.zip", market_members())
    unzip.main()
    first = json.loads((folder / "metrics/unzip.json").read_text())
    counts = {name: Counts(**of) for name, of in first["counts"].items()}
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr("crosscam.data.market1501.PUBLISHED", counts)
    monkeypatch.setattr(unzip, "OFFICIAL_MD5S", {md5: "the original"})
    unzip.main()
    report = json.loads((folder / "metrics/unzip.json").read_text())
    assert (report["agrees"], report["known"]) == (True, "the original")


def test_same_bytes_run_after_run(folder: Path) -> None:
    write_zip(folder / "raw/a.zip", market_members())
    unzip.main()
    first = outputs(folder)
    unzip.main()
    assert outputs(folder) == first


def test_faults_are_told_at_once_and_earlier_outputs_stay(folder: Path) -> None:
    path = write_zip(folder / "raw/a.zip", market_members())
    unzip.main()
    before = outputs(folder)
    add_member(path, "../evil.jpg", b"")
    add_member(path, "query/notes.txt", b"")
    add_member(path, "Market-1501-v15.09.15/query/0009_c1s1_000001_01.jpg", b"text")
    first = next(iter(market_members()))
    add_member(path, first, b"again")
    with pytest.raises(DataError) as caught:
        unzip.main()
    told = str(caught.value)
    assert all(line.startswith("raw/a.zip: ") for line in told.splitlines())
    assert len(told.splitlines()) == 4
    for words in (
        "'../evil.jpg': path leads outside the archive",
        "'query/notes.txt': not a Market-1501 image name",
        "0009_c1s1_000001_01.jpg': not a JPEG or PNG image",
        f"'{first}': occurs 2 times",
    ):
        assert words in told
    assert outputs(folder) == before


def test_many_faults_are_cut_short(folder: Path) -> None:
    write_zip(folder / "raw/a.zip", dict.fromkeys(market_members(), b"text"))
    with pytest.raises(DataError) as caught:
        unzip.main()
    assert len(str(caught.value).splitlines()) == 21
    assert str(caught.value).endswith("\nand 2 more")
    assert outputs(folder) == {}


def test_archive_must_be_named(folder: Path) -> None:
    (folder / "params.yaml").write_text("archives: raw/a.zip\n")
    with pytest.raises(ParamsError, match="archive: missing key: is 'archives' meant"):
        unzip.main()


def test_error_is_a_message_and_a_status(folder: Path) -> None:
    root = Path(unzip.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "stages.unzip"],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "raw/a.zip: no such file: put the dataset's zip there"
    )
    assert "Traceback" not in done.stderr
