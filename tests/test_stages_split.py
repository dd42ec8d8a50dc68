from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crosscam.data.faults import DataError
from crosscam.params import ParamsError
from stages import split, unzip
from tests.full_disk import fill_disk
from tests.hostile.workspace import outcome
from tests.zips import (
    TEST_PIDS,
    TRAIN_PIDS,
    market_members,
    msmt17_members,
    write_zip,
)

TABLES = ("train", "query", "gallery", "truth")


def run(
    folder: Path,
    members: dict[str, bytes],
    window: str = "[0, 1]",
    train_lists: str = "[train]",
) -> dict[str, bytes]:
    """Run both stages in a folder, the working folder; return their data files."""
    (folder / "params.yaml").write_text(
        f"archive: a.zip\nsplit: {{window: {window}, train_lists: {train_lists}}}\n"
    )
    write_zip(folder / "a.zip", members)
    unzip.main()
    split.main()
    return {path.name: path.read_bytes() for path in (folder / "data").rglob("*.*")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_outputs(folder: Path) -> None:
    files = run(folder, market_members())
    tables = {name: files[f"{name}.csv"].decode().split() for name in TABLES}
    assert {name: table[0] for name, table in tables.items()} == {
        "train": "offset,size,camid",
        "query": "offset,size,camid,pid",
        "gallery": "offset,size,camid,pid",
        "truth": "pid",
    }
    assert [len(tables[name]) - 1 for name in TABLES] == [12, 4, 6, 12]
    report = json.loads((folder / "metrics/split.json").read_text())
    assert report["train"]["identities"] == len(TRAIN_PIDS)
    assert report["gallery"]["identities"] == len(TEST_PIDS)
    assert report["train_images_per_camera"] == {"c1": 6, "c2": 6}
    assert (report["window"], report["queries_without_match"]) == ([0, 1], 0)
    assert (report["train_lists"], report["test_only_cameras"]) == (["train"], 0)


@pytest.mark.parametrize(
    ("train_lists", "num_train"), [("[train]", 4), ("[train, val]", 8)]
)
def test_lists_of_msmt17(folder: Path, train_lists: str, num_train: int) -> None:
    files = run(folder, msmt17_members("V2"), train_lists=train_lists)
    rows = files["train.csv"].decode().split()
    assert rows[0] == "offset,size,camid"
    keys = [(int(a), int(c)) for a, _, c in (row.split(",") for row in rows[1:])]
    assert len(keys) == num_train
    assert keys == sorted(keys)
    assert {*files["truth.csv"].decode().split()[1:]} == {"1", "2"}
    for name in ("query", "gallery"):
        pids = [row.split(",")[3] for row in files[f"{name}.csv"].decode().split()[1:]]
        assert sorted(pids) == ["10001", "10001", "10002", "10002"]


def test_val_of_a_dataset_without_one_is_refused(folder: Path) -> None:
    before = run(folder, market_members())
    with pytest.raises(DataError, match=r"^split\.train_lists: asks for val, but"):
        run(folder, market_members(), train_lists="[train, val]")
    for name in TABLES:
        assert (folder / f"data/split/{name}.csv").read_bytes() == before[f"{name}.csv"]


def test_rows_point_at_the_images_of_the_archive(folder: Path) -> None:
    members = market_members()
    files = run(folder, members)
    for name, part in {
        "train": "_train/",
        "query": "query/",
        "gallery": "_test/",
    }.items():
        rows = [line.split(",") for line in files[f"{name}.csv"].decode().split()[1:]]
        ends = [(int(row[0]), int(row[0]) + int(row[1])) for row in rows]
        blobs = [files["images.bin"][start:end] for start, end in ends]
        assert sorted(blobs) == sorted(b for m, b in members.items() if part in m)


def test_window_keeps_whole_people_of_a_common_clock(folder: Path) -> None:
    # people 2, 7 and 10 pass at the frames 200, 700 and 1000 of 200 .. 1025
    files = run(folder, market_members(), "[0, 0.5]")
    assert files["truth.csv"].decode().split()[1:] == ["2"] * 4
    assert len(files["query.csv"].split()) == 5
    assert json.loads((folder / "metrics/split.json").read_text())["window"] == [0, 0.5]


@pytest.mark.parametrize("window", ["[0, 1]", "[0, 0.7]"])
def test_identities_of_training_images_leave_no_trace(
    folder: Path, window: str
) -> None:
    members = market_members()
    first = run(folder, members, window)
    train = [name for name in members if "_train/" in name]
    pids = [name.rsplit("/", 1)[1][:4] for name in train]
    permuted = np.random.default_rng(0).permutation(pids).tolist()
    renamed = {
        name: f"{name.rsplit('/', 1)[0]}/{pid}{name.rsplit('/', 1)[1][4:]}"
        for name, pid in zip(train, permuted, strict=True)
    }
    assert len({*renamed.values()}) == len(train)
    second = run(
        folder, {renamed.get(name, name): b for name, b in members.items()}, window
    )
    for name in ("images.bin", "train.csv", "query.csv", "gallery.csv"):
        assert first[name] == second[name]
    assert first["truth.csv"] != second["truth.csv"]


def test_earlier_outputs_stay_when_identities_overlap(folder: Path) -> None:
    before = run(folder, market_members())
    train = next(name for name in market_members() if "_train/" in name)
    extra = {train.replace("0002_c", "0005_c"): market_members()[train]}
    with pytest.raises(
        DataError, match=r"train: 1 identities are in query .*got \[5\]"
    ):
        run(folder, market_members() | extra)
    for name in TABLES:
        assert (folder / f"data/split/{name}.csv").read_bytes() == before[f"{name}.csv"]


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("[0.5, 0.5]", r"split: window: must begin before it ends, got \[0\.5, 0\.5\]"),
        ("[0.7, 0.2]", r"split: window: must begin before it ends"),
        ("[0, 1.5]", r"split\.window\[1\]: must be at least 0 and at most 1, got 1\.5"),
        ("[-1, 1]", r"split\.window\[0\]: must be at least 0"),
        ("[0]", r"split\.window: expected 2 values"),
        ("0.5", r"split\.window: expected a list"),
    ],
)
def test_window_must_be_one(folder: Path, window: str, message: str) -> None:
    text = f"split: {{window: {window}, train_lists: [train]}}\n"
    (folder / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=message):
        split.main()


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ("[]", r"split: train_lists: must name each list once, got \[\]"),
        ("[val, val]", r"must name each list once, got \['val', 'val'\]"),
        ("[query]", r"split\.train_lists\[0\]: must be one of \['train', 'val'\], got"),
        ("train", r"split\.train_lists: expected a list"),
    ],
)
def test_lists_must_be_some(folder: Path, lists: str, message: str) -> None:
    text = f"split: {{window: [0, 1], train_lists: {lists}}}\n"
    (folder / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=message):
        split.main()


@pytest.mark.parametrize(
    ("after", "path"), [(0, "data/split/train.csv"), (4, "metrics/split.json")]
)
def test_a_full_disk_is_told_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, after: int, path: str
) -> None:
    run(folder, market_members())
    fill_disk(monkeypatch, after)
    told = outcome(folder, ["stages.split"])
    assert told == f"[Errno 28] No space left on device: '{path}'"


def test_a_file_in_place_of_a_folder_is_told_in_a_line(folder: Path) -> None:
    run(folder, market_members())
    shutil.rmtree(folder / "data/split")
    (folder / "data/split").touch()
    told = outcome(folder, ["stages.split"])
    assert told == "[Errno 17] File exists: 'data/split'"


def test_error_is_a_message_and_a_status(folder: Path) -> None:
    (folder / "params.yaml").write_text(
        "split: {window: [0, 1], train_lists: [train]}\n"
    )
    root = Path(split.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "stages.split"],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("data/packed/index.csv: not an index of images, got")
    assert "Traceback" not in done.stderr
