from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from crosscam.data.faults import DataError
from crosscam.data.published import OFFICIAL_MD5S
from crosscam.params import ParamsError
from crosscam.room import RoomError
from stages import unzip
from tests.full_disk import fill_disk
from tests.hostile.workspace import outcome
from tests.zips import (
    add_member,
    duke_members,
    mac_members,
    market_members,
    msmt17_lists,
    msmt17_members,
    write_folder,
    write_zip,
)

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
    assert (report["agrees"], report["compared"]) == (
        False, ["gallery", "query", "train"],
    )  # fmt: skip
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


def test_a_known_archive_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(folder / "raw/a.zip", market_members())
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(OFFICIAL_MD5S, md5, "the original")
    unzip.main()
    report = json.loads((folder / "metrics/unzip.json").read_text())
    assert report["known"] == "the original"


def rows(folder: Path) -> list[list[str]]:
    """Return the index's rows in order of their members, without bytes and sizes."""
    text = (folder / "data/packed/index.csv").read_text()
    return sorted(
        [row.split(",")[i] for i in (0, 6, 7, 8, 9, 10)] for row in text.split()
    )


def test_dukemtmc(folder: Path) -> None:
    write_zip(folder / "raw/a.zip", duke_members())
    unzip.main()
    report = json.loads((folder / "metrics/unzip.json").read_text())
    assert (report["layout"], report["agrees"]) == ("dukemtmc", False)
    assert report["published"]["gallery"]["identities"] == 1_110
    name = "DukeMTMC-reID/query/0005_c2_f0001500.jpg"
    assert [name, "query", "5", "1", "-1", "1500"] in rows(folder)


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_msmt17(folder: Path, version: str) -> None:
    members = msmt17_members(version, f"MSMT17_{version}/MSMT17_{version}")
    write_zip(folder / "raw/a.zip", mac_members(members))
    unzip.main()
    report = json.loads((folder / "metrics/unzip.json").read_text())
    assert report["layout"] == f"msmt17_{version.lower()}"
    assert report["compared"] == ["gallery", "query", "train+val"]
    images = {name: of["images"] for name, of in report["counts"].items()}
    assert images == {"train": 4, "val": 4, "train+val": 8, "query": 4, "gallery": 4}
    assert report["counts"]["train+val"]["identities"] == 2
    assert report["published"]["train+val"]["images"] == 32_621
    assert report["agrees"] is False
    found = rows(folder)
    assert len(found) == 1 + 16
    (val,) = [row for row in found if "0001_103_03_0114afternoon_0016_0_ex" in row[0]]
    assert val[1:] == ["val", "2", "2", "1142", "16"]


def test_lists_that_do_not_fit_are_told_line_by_line(folder: Path) -> None:
    lists = msmt17_lists()
    lists["list_query.txt"][2:] = ["0009/gone.jpg 9", "no label"]
    write_zip(folder / "raw/a.zip", msmt17_members("V1", "", lists))
    with pytest.raises(DataError) as caught:
        unzip.main()
    malformed, gone = str(caught.value).splitlines()
    where = "raw/a.zip: 'MSMT17_V1/list_query.txt' line"
    assert malformed.startswith(f"{where} 4: not a path and a label, got 'no label'")
    assert gone.startswith(f"{where} 3: no such file under MSMT17_V1/test/, got '0009/")


def test_folder_of_ones_own(folder: Path) -> None:
    write_zip(folder / "raw/a.zip", market_members(""))
    unzip.main()
    packed = [(folder / path).read_bytes() for path in OUTPUTS[:2]]
    write_folder(folder / "raw/mine", market_members(""))
    (folder / "params.yaml").write_text("archive: raw/mine\n")
    unzip.main()
    assert [(folder / path).read_bytes() for path in OUTPUTS[:2]] == packed
    report = json.loads((folder / "metrics/unzip.json").read_text())
    assert (report["file"], report["layout"]) == ("mine", "market1501")
    sha256 = report["sha256"]
    (folder / "raw/mine/notes.txt").touch()
    unzip.main()
    report = json.loads((folder / "metrics/unzip.json").read_text())
    assert report["sha256"] != sha256
    assert report["ignored"] == {"other": 1}


def test_link_out_of_a_folder_is_told(folder: Path) -> None:
    write_folder(folder / "raw/mine", market_members(""))
    (folder / "raw/mine/query/0003_c1s1_000001_01.jpg").symlink_to("/etc/hostname")
    (folder / "params.yaml").write_text("archive: raw/mine\n")
    message = r"^raw/mine: 'query/0003_c1s1_000001_01\.jpg': is a link that leaves"
    with pytest.raises(DataError, match=message):
        unzip.main()
    assert not (folder / "data").exists()


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


def with_room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let the disk have so many bytes free."""
    usage = shutil._ntuple_diskusage(10**9, 10**9 - free, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


@pytest.mark.parametrize("unpacked", [False, True])
def test_room_is_looked_for_before_an_image_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, unpacked: bool
) -> None:
    """Twice what the images take, equal ones counted each."""
    members = market_members("") | {"readme.txt": b"left out"}
    if unpacked:
        write_folder(folder / "raw/a.zip", members)
    else:
        write_zip(folder / "raw/a.zip", members)
    needed = 2 * sum(map(len, market_members().values()))
    with monkeypatch.context() as patched:
        with_room(patched, needed - 1)
        patched.setattr(unzip, "scan", None)
        message = (
            r"^data/packed: 22 images, counted twice because DVC copies them into its "
            r"cache unless it links them, needs 0\.0 MB of disk, got 0\.0 MB free: make"
        )
        with pytest.raises(RoomError, match=message):
            unzip.main()
        told = outcome(folder, ["stages.unzip"])
        assert told
        assert told.startswith("data/packed: 22 images, counted twice")
    assert not (folder / "data").exists()
    with_room(monkeypatch, needed)
    unzip.main()


def test_a_member_that_cannot_be_an_image_needs_no_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inflate(member: zipfile.ZipInfo) -> None:
        member.file_size = 10**10

    write_zip(folder / "raw/a.zip", market_members(), spoil=inflate)
    with_room(monkeypatch, 10**8)
    with pytest.raises(DataError, match="too large for a person image"):
        unzip.main()


@pytest.mark.parametrize(
    ("after", "path", "num"),
    [(0, OUTPUTS[1], 0), (1, OUTPUTS[0], 0), (3, OUTPUTS[2], 2)],
)
def test_a_full_disk_is_told_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, after: int, path: str, num: int
) -> None:
    write_zip(folder / "raw/a.zip", market_members())
    fill_disk(monkeypatch, after)
    told = outcome(folder, ["stages.unzip"])
    assert told == f"[Errno 28] No space left on device: '{path}'"
    assert len(outputs(folder)) == num


@pytest.mark.parametrize("name", ["csv_text", "write_images"])
def test_images_and_their_index_are_replaced_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_zip(folder / "raw/a.zip", market_members())
    unzip.main()
    before = outputs(folder)
    write_zip(folder / "raw/a.zip", dict([*market_members().items()][:-1]))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unzip, name, full)
    with pytest.raises(OSError, match="No space left"):
        unzip.main()
    assert outputs(folder) == before


def test_a_file_in_place_of_a_folder_is_told_in_a_line(folder: Path) -> None:
    write_zip(folder / "raw/a.zip", market_members())
    (folder / "metrics").touch()
    told = outcome(folder, ["stages.unzip"])
    assert told == "[Errno 17] File exists: 'metrics'"


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
