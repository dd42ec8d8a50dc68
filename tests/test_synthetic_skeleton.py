from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosscam.synthetic.skeleton import Gait, View, walking_joints

LEFT, UP, FORWARD = np.eye(3)


def test_a_camera_in_front_sees_left_on_the_right():
    view = View(yaw=0.0, pitch=0.0)
    assert view.project(LEFT) == pytest.approx([1, 0, 0])
    assert view.project(UP) == pytest.approx([0, 1, 0])
    assert view.project(FORWARD) == pytest.approx([0, 0, 1])


def test_yaw_90_walks_to_the_right():
    view = View(yaw=np.pi / 2, pitch=0.0)
    assert view.project(FORWARD) == pytest.approx([1, 0, 0], abs=1e-9)
    assert view.project(LEFT) == pytest.approx([0, 0, -1], abs=1e-9)


def test_a_camera_above_sees_near_feet_lower():
    view = View(yaw=0.0, pitch=np.radians(30))
    assert view.project(FORWARD)[1] == pytest.approx(-0.5)
    assert view.project(UP)[1] == pytest.approx(np.sqrt(3) / 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_projection_keeps_lengths(seed: int):
    rng = np.random.default_rng(seed)
    view = View(*rng.uniform(-np.pi, np.pi, 2))
    point = rng.normal(size=3)
    assert np.linalg.norm(view.project(point)) == pytest.approx(np.linalg.norm(point))


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 10), st.floats(0, 0.5))
def test_bones_keep_their_lengths(phase: float, stride: float):
    walking = walking_joints(1.8, 1.0, Gait(phase, stride))
    standing = walking_joints(1.8, 1.0, Gait(0.0, 0.0))
    for one, other in (
        ("left hip", "left knee"),
        ("right knee", "right ankle"),
        ("left shoulder", "left elbow"),
        ("right elbow", "right wrist"),
    ):
        lengths = [np.linalg.norm(j[one] - j[other]) for j in (walking, standing)]
        assert lengths[0] == pytest.approx(lengths[1])


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 10), st.floats(0, 0.5))
def test_one_foot_is_on_the_ground(phase: float, stride: float):
    joints = walking_joints(1.7, 1.0, Gait(phase, stride))
    lower = min(joints["left ankle"][1], joints["right ankle"][1])
    assert lower == pytest.approx(0.04 * 1.7)


def test_half_a_period_later_the_sides_have_changed():
    one = walking_joints(1.7, 1.0, Gait(phase=0.7, stride=0.4))
    other = walking_joints(1.7, 1.0, Gait(phase=0.7 + np.pi, stride=0.4))
    mirror = np.array([-1, 1, 1])
    for joint in ("hip", "knee", "ankle", "toe", "shoulder", "elbow", "hand"):
        assert one[f"left {joint}"] == pytest.approx(other[f"right {joint}"] * mirror)


def test_arms_swing_against_the_legs_unless_they_carry():
    free = walking_joints(1.7, 1.0, Gait(np.pi / 2, 0.4))
    assert free["left knee"][2] > 0 > free["left elbow"][2]
    held = walking_joints(1.7, 1.0, Gait(np.pi / 2, 0.4, held=("left",)))
    assert abs(held["left elbow"][2]) < abs(free["left elbow"][2])
    assert held["right elbow"] == pytest.approx(free["right elbow"])
