from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.faults import DataError
from crosscam.data.packed import (
    SPLIT_COLUMNS,
    TRAIN_COLUMNS,
    PackedImages,
    read_index,
    read_table,
)
from crosscam.data.split import split
from crosscam.data.window import WHOLE
from crosscam.files import write_csv
from tests.zips import jpeg, market_members, pack


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_packing_round_trip(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    names = rng.permutation(list(market_members())).tolist()
    members = {name: jpeg(int(rng.integers(30))) for name in names}
    folder = tmp_path_factory.mktemp("packed")
    table = pack(folder, members)
    pd.testing.assert_frame_equal(read_index(folder / "index.csv"), table)
    assert sorted(table["member"]) == sorted(members)
    keys = table[["offset", "subset", "camid", "member"]].apply(tuple, axis=1).tolist()
    assert keys == sorted(keys)
    images = PackedImages(folder / "images.bin")
    for row in table.itertuples():
        assert images.blob(row.offset, row.size) == members[row.member]
    assert len(images) == sum(map(len, {*members.values()}))


def test_index_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"index\.csv: not an index of images, got .*: run the"
    ):
        read_index(tmp_path / "index.csv")


@pytest.mark.parametrize("text", ["", "pid,camid\n1,2\n"])
def test_index_must_have_its_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(DataError, match="run the stage unzip"):
        read_index(tmp_path / "index.csv")


def test_index_must_hold_numbers(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    table = pack(tmp_path, market_members()).astype({"pid": str})
    table.loc[3, "pid"] = "x"
    write_csv(path, table)
    with pytest.raises(
        DataError, match=r"index\.csv line 5: pid must be an integer, got 'x': run the"
    ):
        read_index(path)


def test_tables_of_the_split_round_trip(tmp_path: Path) -> None:
    tables = split(pack(tmp_path, market_members()), WHOLE, ["train"])._asdict()
    assert tables.keys() == SPLIT_COLUMNS.keys()
    for name, table in tables.items():
        write_csv(tmp_path / "t.csv", table)
        read = read_table(tmp_path / "t.csv", SPLIT_COLUMNS[name])
        pd.testing.assert_frame_equal(read, table)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "not a table of images, got .*No such file"),
        ("", "not a table of images, got "),
        ("offset,size,camid\n", "a table of images without a row"),
        ("offset,size\n0,9\n", "columns must be .*, got "),
        ("offset,size,camid,pid\n0,9,0,1\n", "columns must be .*, got .*'pid'"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "train.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=rf"train\.csv: {told}.*: run the stage split"):
        read_table(path, TRAIN_COLUMNS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0,9,x\n", [" line 2: camid must be an integer, got 'x'"]),
        ("0,9,inf\n", [" line 2: camid must be an integer, got 'inf'"]),
        ("0,9,-1\n", [" line 2: camid must be at least 0, got -1"]),
        (
            "0,0,0\n0,9\n0,9,0,1\n0\n",
            [
                " line 2: size must be at least 1, got 0",
                " line 3: must have 3 fields, got 2",
                " line 4: must have 3 fields, got 4",
                " line 5: must have 3 fields, got 1",
            ],
        ),
        # pandas takes the first of too many fields for the names of rows.
        ("0,9,0,1\n" * 2, [" line 2 (and 1 lines more): must have 3 fields, got 4"]),
        ('0,9,0\n0,"9,0\n', [" line 3: is no line of a table, got unexpected end of"]),
    ],
)
def test_faults_are_told_line_by_line(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    path = tmp_path / "train.csv"
    path.write_text(f"offset,size,camid\n{text}")
    with pytest.raises(DataError) as caught:
        read_table(path, TRAIN_COLUMNS)
    for fault, words in zip(caught.value.faults, told, strict=True):
        assert fault.startswith(f"{path}{words}")
        assert fault.endswith(": run the stage split")


@pytest.mark.parametrize("data", [None, b""])
def test_packed_images_must_be_there(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "images.bin").write_bytes(data)
    with pytest.raises(DataError, match=r"images\.bin: no packed images, got "):
        PackedImages(tmp_path / "images.bin")


@pytest.mark.parametrize(("offset", "size"), [(-1, 2), (0, 0), (0, 11), (10, 1)])
def test_image_must_lie_in_the_file(tmp_path: Path, offset: int, size: int) -> None:
    (tmp_path / "images.bin").write_bytes(bytes(range(10)))
    images = PackedImages(tmp_path / "images.bin")
    assert images.blob(8, 2) == b"\x08\x09"
    with pytest.raises(DataError, match=f"has 10 bytes, got an image of {size} bytes"):
        images.blob(offset, size)
