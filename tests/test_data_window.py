from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data.faults import DataError
from crosscam.data.window import WHOLE, in_window, recording_time

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
    images = timed([(0, -1, -1), (1, -1, -1)])
    assert in_window(images, WHOLE).tolist() == [True, True]
    with pytest.raises(
        DataError, match=r"no frame numbers, .*\[0, 0\.5\]: only \[0, 1\]"
    ):
        in_window(images, (0.0, 0.5))


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
