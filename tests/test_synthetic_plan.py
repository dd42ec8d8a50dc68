from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.data import market1501, pids
from crosscam.params import ParamsError, read_params
from crosscam.synthetic import plan
from crosscam.synthetic.plan import Shot, World, plan_shots
from stages.synthesize import Params

WORLD = World(
    seed=0,
    train_pids=6,
    test_pids=8,
    cameras=4,
    images_per_tracklet=3,
    distractors=5,
    junk=4,
)


def people_of(shots: list[Shot], *subsets: str) -> set[int]:
    return {shot.pid for shot in shots if shot.subset in subsets and shot.pid > 0}


def test_a_member_has_a_name_of_market1501():
    shot = Shot("gallery", 2, 0, 1, 451, 3, person=1, tracklet=0, step=0)
    assert shot.member == "bounding_box_test/0002_c1s1_000451_03.jpg"
    assert replace(shot, pid=-1).member == "bounding_box_test/-1_c1s1_000451_03.jpg"
    assert replace(shot, pid=0).member == "bounding_box_test/0000_c1s1_000451_03.jpg"


def test_the_constants_are_those_of_the_layout():
    assert plan.JUNK_PID == pids.JUNK_PID
    assert plan.DISTRACTOR_PID == pids.DISTRACTOR_PID
    assert {v: k for k, v in plan.FOLDERS.items()} == dict(market1501.FOLDERS)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(2, 6),
    st.integers(2, 6),
)
def test_the_rules_of_the_protocol(seed, train_pids, test_pids, cameras, num_images):
    world = World(seed, train_pids, test_pids, cameras, num_images, 3, 3)
    shots = plan_shots(world)
    members = [shot.member for shot in shots]
    assert members == sorted(set(members))

    train, test = people_of(shots, "train"), people_of(shots, "query", "gallery")
    assert train.isdisjoint(test)
    assert train | test == set(range(1, train_pids + test_pids + 1))
    assert len(train) == train_pids
    assert {shot.camid for shot in shots} <= set(range(cameras))

    queries = Counter((s.pid, s.camid) for s in shots if s.subset == "query")
    gallery = Counter((s.pid, s.camid) for s in shots if s.subset == "gallery")
    assert set(queries.values()) == {1}
    assert set(queries) == {key for key in gallery if key[0] > 0}
    for pid in train | test:
        assert len({s.camid for s in shots if s.pid == pid}) >= 2

    assert min(shot.frame for shot in shots) >= 0
    special = Counter(s.pid for s in shots if s.pid <= 0)
    assert special == {plan.JUNK_PID: 3, plan.DISTRACTOR_PID: 3}


def test_boxes_of_one_frame_are_numbered():
    one = Shot("gallery", 0, 0, 1, 451, 1, person=-1, tracklet=0, step=0)
    shots = [one, replace(one, pid=2), replace(one, frame=452), replace(one, camid=1)]
    assert [shot.box for shot in plan._boxed(shots)] == [1, 2, 1, 1]


def test_train_and_test_numbers_are_interleaved():
    shots = plan_shots(World(0, 60, 90, 5, 2, 0, 0))
    train, test = people_of(shots, "train"), people_of(shots, "query")
    assert min(train) < max(test)
    assert min(test) < max(train)


def test_a_walk_takes_a_few_minutes_on_the_common_clock():
    times = defaultdict(list)
    for shot in plan_shots(replace(WORLD, junk=0, distractors=0)):
        times[shot.pid].append((shot.sequence, shot.frame))
    for seen in times.values():
        assert len({sequence for sequence, _ in seen}) == 1
        frames = [frame for _, frame in seen]
        assert max(frames) - min(frames) < plan.WALK_FRAMES
        assert min(frames) >= 0
        assert max(frames) < plan.SEQUENCE_FRAMES


def test_a_tenth_of_the_recording_keeps_whole_people():
    shots = [s for s in plan_shots(World(0, 100, 1, 5, 4, 0, 0)) if s.subset == "train"]
    early = [
        s for s in shots if s.sequence == 1 and s.frame < plan.SEQUENCE_FRAMES // 5
    ]
    kept = Counter(s.pid for s in early)
    whole = [pid for pid in kept if kept[pid] == sum(s.pid == pid for s in shots)]
    assert len(whole) >= 0.7 * len(kept) > 0


def test_tracklets_are_consecutive():
    tracklets = defaultdict(list)
    for shot in plan_shots(WORLD):
        if shot.pid > 0:
            tracklets[shot.pid, shot.camid, shot.tracklet].append(shot)
    for shots in tracklets.values():
        frames = sorted(shot.frame for shot in shots)
        assert 2 <= len(frames) <= 4  # images_per_tracklet ± 1
        assert {b - a for a, b in pairwise(frames)} == {plan.STEP}


def test_seeds_change_the_plan():
    assert plan_shots(WORLD) == plan_shots(WORLD)
    assert plan_shots(WORLD) != plan_shots(replace(WORLD, seed=1))


TOO_MANY_CAMERAS = (
    "cameras: must be at least 2 and at most 6, got 7: "
    "crosscam/synthetic/cameras.py holds no more"
)
TOO_MANY_PIDS = (
    "train_pids + test_pids: must be at most 9999, got 10000: "
    "the names of the images have four digits"
)


def test_impossible_worlds_name_every_fault(tmp_path: Path):
    values = asdict(WORLD) | {"cameras": 7, "train_pids": 9990, "test_pids": 10}
    path = tmp_path / "params.yaml"
    lines = [f"  {key}: {value}" for key, value in values.items()]
    path.write_text("\n".join(["synthesize:", *lines]))
    with pytest.raises(ParamsError) as error:
        read_params(path, Params)
    assert str(error.value).splitlines() == [
        f"{path}: synthesize: {fault}" for fault in (TOO_MANY_CAMERAS, TOO_MANY_PIDS)
    ]


def test_one_camera_is_not_enough():
    with pytest.raises(ValueError, match=r"cameras: must be at least 2 .* got 1"):
        replace(WORLD, cameras=1)
