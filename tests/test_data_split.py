from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.faults import DataError
from crosscam.data.packed import INDEX_COLUMNS
from crosscam.data.split import has_match, in_window, recording_time, split, summary

WHOLE = (0.0, 1.0)


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
    tables = split(good_index().iloc[::-1], WHOLE)
    assert tables.train.to_csv(index=False).split() == [
        "offset,size,camid", "50,10,1", "60,10,0", "70,10,0",
    ]  # fmt: skip
    assert tables.truth.to_csv(index=False).split() == ["pid", "2", "1", "2"]
    assert tables.query.to_csv(index=False).split() == [
        "offset,size,camid,pid", "80,10,1,6", "90,10,0,5", "100,10,0,6",
    ]  # fmt: skip
    assert tables.gallery["pid"].tolist() == [5, -1, 0, 6, 6]


def test_summary_by_hand() -> None:
    report = summary(split(good_index(), WHOLE), WHOLE)
    none = {"junk": 0, "distractors": 0}
    assert report["train"] == {"images": 3, "identities": 2, "cameras": 2} | none
    assert report["query"] == {"images": 3, "identities": 2, "cameras": 2} | none
    assert report["gallery"] == {
        "images": 5, "identities": 2, "cameras": 2, "junk": 1, "distractors": 1,
    }  # fmt: skip
    assert report["train_images_per_camera"] == {"c1": 2, "c2": 1}
    assert report["window"] == [0, 1]
    assert report["queries_without_match"] == 0


def test_same_image_under_two_cameras_keeps_its_order() -> None:
    index = good_index()
    index.loc[index["subset"] == "train", "offset"] = 50
    for table in (index, index.iloc[::-1]):
        tables = split(table, WHOLE)
        assert tables.train["camid"].tolist() == [0, 0, 1]
        assert tables.truth["pid"].tolist() == [1, 2, 2]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_training_rows_do_not_depend_on_identities(seed: int) -> None:
    rng = np.random.default_rng(seed)
    num = 60
    train = [
        {"subset": "train", "pid": 10 + i % 9, "camid": i % 2, "frame": int(frame)}
        for i, frame in enumerate(rng.integers(0, 500, num))
    ]
    index = index_of(rows("gallery", (5, 1)), train, rows("query", (5, 0)))
    index["offset"] = 10 * rng.integers(0, 40, len(index))  # many images shared
    permuted = index.copy()
    is_train = index["subset"] == "train"
    permuted.loc[is_train, "pid"] = rng.permutation(index["pid"][is_train])
    names = rng.permutation(index["member"][is_train])  # names hold the identities
    permuted.loc[is_train, "member"] = names
    first, second = (split(table, (0.0, 0.8)) for table in (index, permuted))
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
    assert summary(split(index, WHOLE), WHOLE)["queries_without_match"] == 1


# the worked example of docs/datasets.md: camera, sequence, frame, time
EXAMPLE = [
    (0, 1, 100, 0.0),
    (0, 1, 200, 0.25),
    (0, 1, 300, 0.5),
    (0, 3, 50, 0.5),
    (0, 3, 150, 0.75),
    (0, 3, 250, 1.0),
    (1, 1, 7, 0.0),
    (1, 1, 9, 1.0),
]


def timed(images: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(
        [image[:3] for image in images], columns=["camid", "sequence", "frame"]
    )


def test_recording_time_by_hand() -> None:
    assert recording_time(timed(EXAMPLE)).tolist() == [image[3] for image in EXAMPLE]


def test_camera_with_one_frame_is_at_its_beginning() -> None:
    assert recording_time(timed([(0, 1, 9), (0, 2, 4), (0, 1, 9)])).tolist() == [
        0,
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("window", "kept"),
    [
        ((0.0, 0.5), [0, 1, 6]),
        ((0.5, 1.0), [2, 3, 4, 5, 7]),
        ((0.0, 1.0), [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_window_by_hand(window: tuple[float, float], kept: list[int]) -> None:
    assert np.flatnonzero(in_window(timed(EXAMPLE), window)).tolist() == kept


def slow_recording_time(train: pd.DataFrame) -> list[float]:
    """Walk along each camera's frames and add up the steps within sequences."""
    clock: dict[tuple[int, int, int], int] = {}
    for camid in sorted(set(train["camid"])):
        passed, last = 0, None
        seen = sorted({
            (r.sequence, r.frame) for r in train[train.camid == camid].itertuples()
        })
        for sequence, frame in seen:
            if last is not None and last[0] == sequence:
                passed += frame - last[1]
            clock[camid, sequence, frame] = passed
            last = (sequence, frame)
    end = {c: max(t for key, t in clock.items() if key[0] == c) for c, *_ in clock}
    return [
        clock[r.camid, r.sequence, r.frame] / (end[r.camid] or 1)
        for r in train.itertuples()
    ]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), last_frame=st.integers(0, 300))
def test_recording_time_equals_that_of_a_slow_walk(seed: int, last_frame: int) -> None:
    rng = np.random.default_rng(seed)
    columns = {"camid": 3, "sequence": 3, "frame": last_frame + 1}
    train = pd.DataFrame({k: rng.integers(0, n, 40) for k, n in columns.items()})
    time = recording_time(train)
    assert time.tolist() == slow_recording_time(train)
    order = rng.permutation(len(train))
    assert recording_time(train.iloc[order]).tolist() == time[order].tolist()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.floats(0.2, 0.8))
def test_adjacent_windows_share_nothing_and_leave_nothing(
    seed: int, cut: float
) -> None:
    rng = np.random.default_rng(seed)
    train = timed([
        (c, s, int(f)) for c in (0, 1) for s in (1, 2) for f in rng.choice(99, 20)
    ])
    first, second = in_window(train, (0.0, cut)), in_window(train, (cut, 1.0))
    assert (first ^ second).all()


def test_window_needs_frames() -> None:
    index = good_index()
    index["sequence"] = index["frame"] = -1
    assert len(split(index, WHOLE).train) == 3
    with pytest.raises(
        DataError, match=r"no frame numbers, .*\[0, 0\.5\]: only \[0, 1\]"
    ):
        split(index, (0.0, 0.5))


def test_window_works_without_sequences() -> None:
    images = [
        (camid, -1, frame, None) for camid, _, frame, _ in EXAMPLE[:3] + EXAMPLE[6:]
    ]
    assert recording_time(timed(images)).tolist() == [0, 0.5, 1, 0, 1]


def test_window_must_not_empty_a_camera() -> None:
    with pytest.raises(
        DataError, match=r"cameras \[1\] \(counted from 0\).*: widen it"
    ):
        in_window(timed(EXAMPLE), (0.5, 0.8))


@pytest.mark.parametrize("subset", ["train", "query", "gallery"])
@pytest.mark.parametrize("window", [WHOLE, (0.0, 0.5)])
def test_empty_subset_is_refused(subset: str, window: tuple[float, float]) -> None:
    index = good_index()
    with pytest.raises(DataError, match=rf"no images in \['{subset}'\]"):
        split(index[index["subset"] != subset], window)


def test_all_faults_are_told_at_once() -> None:
    index = index_of(
        rows("gallery", (5, 0), (1, 0)),
        rows("train", (1, 0), (2, 1), frame=-1),
        rows("query", (5, 0), (-1, 0), (0, 1)),
    )
    with pytest.raises(DataError) as caught:
        split(index, (0.0, 0.5))
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
    assert sorted(split(index, WHOLE).truth["pid"]) == [-1, 0, 1, 2, 2]
