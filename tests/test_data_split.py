from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.faults import DataError
from crosscam.data.packed import INDEX_COLUMNS
from crosscam.data.split import has_match, split, summary
from crosscam.data.window import WHOLE

TRAIN = ("train",)


def rows(subset: str, *people: tuple[int, int], **more: Any) -> list[dict[str, Any]]:
    """Return rows of an index for pairs of pid and camid."""
    return [{"subset": subset, "pid": p, "camid": c, **more} for p, c in people]


def index_of(*parts: list[dict[str, Any]]) -> pd.DataFrame:
    """Return an index of rows, each image of 10 bytes, in the order given."""
    table = pd.DataFrame([row for part in parts for row in part])
    table["offset"] = 10 * np.arange(len(table))
    table["member"] = [f"member{number}" for number in range(len(table))]
    fill = {
        "size": 10,
        "width": 8,
        "height": 16,
        "sha256": "",
        "sequence": 1,
        "frame": 1,
    }
    for name, value in fill.items():
        table[name] = table[name].fillna(value) if name in table else value
    return table[list(INDEX_COLUMNS)].astype(dict(INDEX_COLUMNS))


def good_index() -> pd.DataFrame:
    return index_of(
        rows("gallery", (5, 1), (-1, 0), (0, 0), (6, 0), (6, 1)),
        rows("train", (2, 1), (1, 0), (2, 0)),
        rows("query", (6, 1), (5, 0), (6, 0)),
    )


def test_tables_by_hand() -> None:
    tables = split(good_index().iloc[::-1], WHOLE, TRAIN)
    assert tables.train.to_csv(index=False).split() == [
        "offset,size,camid", "50,10,1", "60,10,0", "70,10,0",
    ]  # fmt: skip
    assert tables.truth.to_csv(index=False).split() == ["pid", "2", "1", "2"]
    assert tables.query.to_csv(index=False).split() == [
        "offset,size,camid,pid", "80,10,1,6", "90,10,0,5", "100,10,0,6",
    ]  # fmt: skip
    assert tables.gallery["pid"].tolist() == [5, -1, 0, 6, 6]


def test_summary_by_hand() -> None:
    report = summary(split(good_index(), WHOLE, TRAIN), WHOLE, TRAIN)
    none = {"junk": 0, "distractors": 0}
    assert report["train"] == {"images": 3, "identities": 2, "cameras": 2} | none
    assert report["query"] == {"images": 3, "identities": 2, "cameras": 2} | none
    assert report["gallery"] == {
        "images": 5, "identities": 2, "cameras": 2, "junk": 1, "distractors": 1,
    }  # fmt: skip
    assert report["train_images_per_camera"] == {"c1": 2, "c2": 1}
    assert (report["window"], report["train_lists"]) == ([0, 1], ["train"])
    assert report["test_only_cameras"] == 0
    assert report["queries_without_match"] == 0


def test_same_image_under_two_cameras_keeps_its_order() -> None:
    index = good_index()
    index.loc[index["subset"] == "train", "offset"] = 50
    for table in (index, index.iloc[::-1]):
        tables = split(table, WHOLE, TRAIN)
        assert tables.train["camid"].tolist() == [0, 0, 1]
        assert tables.truth["pid"].tolist() == [1, 2, 2]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_training_rows_do_not_depend_on_identities(seed: int) -> None:
    rng = np.random.default_rng(seed)
    num = 60
    train = [
        {
            "subset": ("train", "val")[i % 3 == 0],
            "pid": 10 + i % 9,
            "camid": i % 2,
            "frame": int(frame),
        }
        for i, frame in enumerate(rng.integers(0, 500, num))
    ]
    index = index_of(rows("gallery", (5, 1)), train, rows("query", (5, 0)))
    index["offset"] = 10 * rng.integers(0, 40, len(index))  # many images shared
    permuted = index.copy()
    is_train = index["subset"].isin(["train", "val"])
    permuted.loc[is_train, "pid"] = rng.permutation(index["pid"][is_train])
    names = rng.permutation(index["member"][is_train])  # names hold the identities
    permuted.loc[is_train, "member"] = names
    lists = [TRAIN, ("train", "val")][seed % 2]
    first, second = (split(table, (0.0, 0.8), lists) for table in (index, permuted))
    for name in ("train", "query", "gallery"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
    assert len(first.truth) == len(second.truth) == len(first.train)


def test_matches_by_hand() -> None:
    gallery = index_of(rows("gallery", (1, 0), (1, 0), (2, 0), (2, 3), (-1, 1), (0, 1)))
    queries = [(1, 0), (1, 1), (2, 0), (2, 3), (2, 1), (3, 0), (-1, 0), (0, 0)]
    expected = [False, True, True, True, True, False, False, False]
    assert has_match(index_of(rows("query", *queries)), gallery).tolist() == expected


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_matches_equal_those_of_a_slow_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, gallery = (
        pd.DataFrame({"pid": rng.integers(-1, 8, 30), "camid": rng.integers(0, 3, 30)})
        for _ in range(2)
    )
    expected = [
        q.pid > 0
        and any(g.pid == q.pid and g.camid != q.camid for g in gallery.itertuples())
        for q in query.itertuples()
    ]
    assert has_match(query, gallery).tolist() == expected


def test_queries_without_match_are_counted() -> None:
    index = pd.concat([good_index(), index_of(rows("query", (7, 0)))])
    assert (
        summary(split(index, WHOLE, TRAIN), WHOLE, TRAIN)["queries_without_match"] == 1
    )


@pytest.mark.parametrize("subset", ["train", "query", "gallery"])
@pytest.mark.parametrize("window", [WHOLE, (0.0, 0.5)])
def test_empty_subset_is_refused(subset: str, window: tuple[float, float]) -> None:
    index = good_index()
    with pytest.raises(DataError, match=rf"no images in \['{subset}'\]"):
        split(index[index["subset"] != subset], window, TRAIN)


def test_all_faults_are_told_at_once() -> None:
    index = index_of(
        rows("gallery", (5, 0), (1, 0)),
        rows("train", (1, 0), (2, 1), frame=-1),
        rows("query", (5, 0), (-1, 0), (0, 1)),
    )
    with pytest.raises(DataError) as caught:
        split(index, (0.0, 0.5), TRAIN)
    overlap, nobody, matches, frames = caught.value.faults
    assert overlap.startswith(
        "train: 1 identities are in query or gallery as well, got [1]"
    )
    assert nobody.startswith("query: 2 images are junk (-1) or distractors (0)")
    assert matches.startswith(
        "query: no query identity has a gallery image from another"
    )
    assert frames.startswith("split.window: image names carry no frame numbers")


def test_junk_and_distractors_may_be_in_training_and_gallery() -> None:
    index = pd.concat([good_index(), index_of(rows("train", (-1, 0), (0, 0)))])
    assert sorted(split(index, WHOLE, TRAIN).truth["pid"]) == [-1, 0, 1, 2, 2]


def index_with_val() -> pd.DataFrame:
    return pd.concat(
        [good_index(), index_of(rows("val", (2, 0), (3, 2)))], ignore_index=True
    )


@pytest.mark.parametrize(
    ("train_lists", "truth", "cameras"),
    [
        (["train"], [1, 2, 2], 2),
        (["train", "val"], [1, 2, 2, 2, 3], 3),
        (["val", "train"], [1, 2, 2, 2, 3], 3),
        (["val"], [2, 3], 2),
    ],
)
def test_training_images_come_from_the_lists_that_are_named(
    train_lists: list[str], truth: list[int], cameras: int
) -> None:
    tables = split(index_with_val(), WHOLE, train_lists)
    assert sorted(tables.truth["pid"]) == truth
    assert len(tables.train) == len(truth)
    report = summary(tables, WHOLE, train_lists)
    assert report["train"]["cameras"] == cameras
    assert report["train_lists"] == train_lists
    expected = split(good_index(), WHOLE, TRAIN)
    pd.testing.assert_frame_equal(tables.query, expected.query)
    pd.testing.assert_frame_equal(tables.gallery, expected.gallery)


def test_rows_of_two_lists_are_in_one_order() -> None:
    index = index_with_val()
    is_train = index["subset"].isin(["train", "val"])
    index.loc[is_train, "offset"] = [40, 30, 50, 30, 10]
    train = split(index, WHOLE, ["train", "val"]).train
    keys = list(zip(train["offset"], train["camid"], strict=True))
    assert keys == [(10, 2), (30, 0), (30, 0), (40, 1), (50, 0)]


def test_window_spans_both_lists() -> None:
    index = index_of(
        rows("gallery", (5, 1)),
        rows("train", (1, 0), (1, 1), frame=1),
        rows("train", (2, 0), (2, 1), frame=60),
        rows("val", (3, 0), (3, 1), frame=101),
        rows("query", (5, 0)),
    )
    both = split(index, (0.0, 0.5), ["train", "val"])
    assert sorted(both.truth["pid"]) == [1, 1]
    assert sorted(split(index, (0.5, 1.0), TRAIN).truth["pid"]) == [2, 2]


def test_val_must_be_there_to_be_asked_for() -> None:
    with pytest.raises(
        DataError,
        match=r"^split\.train_lists: asks for val, but this dataset has no such list,"
        r" got \['gallery', 'query', 'train'\]: only MSMT17 has one, set .* \[train\]$",
    ):
        split(good_index(), WHOLE, ["train", "val"])


@pytest.mark.parametrize("train_lists", [["train"], ["train", "val"]])
def test_identities_of_val_must_not_be_tested_even_unused(
    train_lists: list[str],
) -> None:
    index = index_with_val()
    index.loc[index["pid"] == 3, "pid"] = 6
    with pytest.raises(
        DataError, match=r"^val: 1 identities are in query or gallery .*got \[6\]"
    ):
        split(index, WHOLE, train_lists)


def test_camera_of_the_test_set_only_is_counted() -> None:
    more = index_of(rows("gallery", (6, 7), (0, 8)), rows("query", (6, 7)))
    index = pd.concat([good_index(), more])
    report = summary(split(index, WHOLE, TRAIN), WHOLE, TRAIN)
    assert report["test_only_cameras"] == 2
    assert report["queries_without_match"] == 0


def of_cameras(train: list[int], query: list[int], gallery: list[int]) -> pd.DataFrame:
    """Return an index of person 1 in training and person 5 in testing."""
    return index_of(
        rows("train", *((1, camid) for camid in train)),
        rows("query", *((5, camid) for camid in query)),
        rows("gallery", *((5, camid) for camid in gallery)),
    )


INTRA_ONLY = (
    "the stage intra could train within it, but inter has nothing to do, since it"
    " brings images of different cameras together"
)
NO_MATCH = (
    "no query can be evaluated and mAP is undefined, since right answers from the"
    " query's own camera do not count"
)
REMEDY = "give each camera its own number in the names, or see 'One camera' in docs/"
ONE = "all images are of one camera"


@pytest.mark.parametrize(
    ("cameras", "told"),
    [
        (([2, 2], [2], [2, 2]), [f"{ONE}, got c3: {INTRA_ONLY}, and {NO_MATCH}"]),
        (([0, 0], [0], [1]), [f"train: {ONE}, got c1: {INTRA_ONLY}"]),
        (([0, 1], [1], [1]), [f"query and gallery: {ONE}, got c2: {NO_MATCH}"]),
        (
            ([0], [1], [1]),
            [
                f"train: {ONE}, got c1: {INTRA_ONLY}",
                f"query and gallery: {ONE}, got c2: {NO_MATCH}",
            ],
        ),
    ],
)
def test_one_camera_gets_a_clear_answer(
    cameras: tuple[list[int], list[int], list[int]], told: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        split(of_cameras(*cameras), WHOLE, TRAIN)
    expected = [f"{line}: {REMEDY}datasets.md" for line in told]
    assert [*caught.value.faults] == expected


@pytest.mark.parametrize(
    "cameras", [([0, 1], [0], [1]), ([0, 1], [2], [3]), ([0, 1, 2], [0, 1], [0, 1])]
)
def test_two_cameras_are_enough(
    cameras: tuple[list[int], list[int], list[int]],
) -> None:
    assert len(split(of_cameras(*cameras), WHOLE, TRAIN).train) == len(cameras[0])
