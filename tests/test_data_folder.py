from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data import folder as folder_module
from crosscam.data.archive import MAX_IMAGE_BYTES, Archive
from crosscam.data.faults import DataError
from crosscam.data.folder import Folder
from crosscam.data.layout import recognise
from crosscam.data.packing import scan
from tests.zips import market_members, write_folder, write_zip

FILES = {"b/c": b"2", "a": b"11", "b/d/e": b""}


def test_files_are_read_by_name(tmp_path: Path) -> None:
    with Folder(write_folder(tmp_path / "f", FILES)) as folder:
        assert folder.names == ("a", "b/c", "b/d/e")
        assert folder.faults == {}
        assert [folder.read(name) for name in folder.names] == [b"11", b"2", b""]
        assert [folder.size(name) for name in folder.names] == [2, 1, 0]


def test_digests_by_hand(tmp_path: Path) -> None:
    text = b"a\0" + b"2\0" + b"11" + b"b/c\0" + b"1\0" + b"2" + b"b/d/e\0" + b"0\0"
    found = Folder(write_folder(tmp_path / "f", FILES)).digests()
    assert found.sha256 == hashlib.sha256(text).hexdigest()
    assert found.md5 == hashlib.md5(text, usedforsecurity=False).hexdigest()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_digests_tell_any_two_folders_apart(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Same names and contents give the same; moving a byte over a border does not."""
    rng = np.random.default_rng(seed)
    files = {f"{i}": rng.bytes(int(rng.integers(1, 9))) for i in range(4)}
    top = tmp_path_factory.mktemp("folders")
    found = Folder(write_folder(top / "a", files)).digests()
    assert Folder(write_folder(top / "b", dict(reversed(files.items())))).digests() == (
        found
    )
    moved = files | {"0": files["0"] + files["1"][:1], "1": files["1"][1:]}
    assert Folder(write_folder(top / "c", moved)).digests() != found
    renamed = {f"1{name}": data for name, data in files.items()}
    assert Folder(write_folder(top / "d", renamed)).digests() != found


def test_folder_gives_the_index_of_its_zip(tmp_path: Path) -> None:
    members = market_members()
    path = write_folder(tmp_path / "f", members)
    with (
        Folder(path) as folder,
        Archive(write_zip(tmp_path / "a.zip", members)) as archive,
    ):
        found, expected = (
            scan(source, recognise(source.names, source.read).images)
            for source in (folder, archive)
        )
    assert found.table.to_csv() == expected.table.to_csv()


def test_link_to_a_file_of_the_folder_counts_as_it(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "f", FILES)
    (path / "b/link").symlink_to("../a")
    folder = Folder(path)
    assert folder.faults == {}
    assert folder.read("b/link") == b"11"


def test_folder_may_be_a_link(tmp_path: Path) -> None:
    write_folder(tmp_path / "f", FILES)
    (tmp_path / "link").symlink_to("f")
    folder = Folder(tmp_path / "link")
    assert (len(folder.names), folder.faults) == (3, {})


@pytest.mark.parametrize("target", ["../outside", "/etc", "../f2/x", "b/../../outside"])
def test_link_that_leaves_the_folder_is_a_fault(tmp_path: Path, target: str) -> None:
    write_folder(tmp_path, {"outside": b"", "f2/x": b""})
    path = write_folder(tmp_path / "f", FILES)
    (path / "link").symlink_to(target)
    folder = Folder(path)
    assert folder.names == ("a", "b/c", "b/d/e")
    with pytest.raises(DataError, match="'link': is a link that leaves the folder"):
        folder.read("link")


@pytest.mark.parametrize("target", ["nowhere", "link", "b", "."])
def test_link_to_no_file_is_a_fault(tmp_path: Path, target: str) -> None:
    path = write_folder(tmp_path / "f", FILES)
    (path / "link").symlink_to(target)
    assert Folder(path).faults == {
        "link": "'link': is a link, but to no file: take it out of the folder"
    }


def test_pipe_is_a_fault(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "f", FILES)
    os.mkfifo(path / "b/pipe")
    (fault,) = Folder(path).faults.values()
    assert fault.startswith("'b/pipe': is a device, a socket or a pipe")


def test_name_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "f", FILES)
    (path / os.fsdecode(b"\xff.jpg")).touch()
    (fault,) = Folder(path).faults.values()
    assert fault == r"'\udcff.jpg': name is not a text in UTF-8: rename it"


def test_folder_whose_name_is_no_text_is_a_fault(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "f", FILES)
    write_folder(path / os.fsdecode(b"\xff"), FILES)
    folder = Folder(path)
    assert folder.names == ("a", "b/c", "b/d/e")
    assert folder.faults == {
        "\udcff": r"'\udcff': name is not a text in UTF-8: rename it"
    }


def test_more_folders_in_one_another_than_python_has_calls(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "f", FILES)
    nested = path
    try:
        for _ in range(1_100):
            nested /= "n"
            nested.mkdir()
        folder = Folder(path)
    finally:
        while nested != path:  # pytest's own removal gives up here
            if nested.exists():
                nested.rmdir()
            nested = nested.parent
    assert folder.names == ("a", "b/c", "b/d/e")
    (fault,) = folder.faults.values()
    assert "n/n': has a path of 1,025 bytes, the limit is 1,024" in fault


def test_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: cannot be read, got .*No such file"):
        Folder(tmp_path / "gone")


def test_file_that_vanishes_is_told(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "f", FILES)
    folder = Folder(path)
    (path / "a").unlink()
    with pytest.raises(DataError, match=r"^'a': cannot be read, got .*No such file"):
        folder.read("a")


def test_absurd_size_of_a_file_is_refused_unread(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "f", FILES)
    os.truncate(path / "a", MAX_IMAGE_BYTES + 1)  # a hole, which takes no space
    with pytest.raises(DataError, match=r"'a': too large .* got 33,554,433 bytes"):
        Folder(path).read("a")


def test_absurd_size_of_the_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_folder(tmp_path / "f", FILES)
    monkeypatch.setattr(folder_module, "MAX_TOTAL_BYTES", 2)
    with pytest.raises(DataError, match="f: holds 3 bytes, the limit is 2: this is"):
        Folder(path)
