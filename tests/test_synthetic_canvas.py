from __future__ import annotations

import numpy as np
import pytest

from crosscam.synthetic.canvas import Canvas, Light, Tube
from crosscam.synthetic.cloth import overlaid, plain
from crosscam.synthetic.skeleton import View

RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
FRONT, BACK = View(0.0, 0.0), View(np.pi, 0.0)
FLAT = Light(azimuth=0.0, ambient=1.0)
TOP, LOW = np.array([0.0, 1.5, 0.0]), np.array([0.0, 0.5, 0.0])
ASIDE, AHEAD = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])


def canvas() -> Canvas:
    """Return 100 × 100 black pixels, 50 per metre; (0, 0) is the middle of row 100."""
    background = np.zeros((100, 100, 3), dtype=np.float32)
    return Canvas(background, scale=50.0, origin=(50.0, 100.0))


def painted(view: View, *tubes: Tube, light: Light = FLAT) -> np.ndarray:
    picture = canvas()
    picture.draw(tubes, view, light)
    return picture.colour


def test_a_flat_ended_tube_is_a_rectangle():
    picture = painted(FRONT, Tube(TOP, LOW, (0.2,), 1.0, plain(RED), cap=0.01))
    expected = np.zeros((100, 100), dtype=bool)
    expected[25:75, 40:60] = True  # 1 m × 0.4 m
    assert np.array_equal(picture[..., 0] > 0, expected)


def test_round_ends_reach_one_radius_further():
    tube = Tube(TOP, LOW, (0.2,), 1.0, plain(RED), cap=1.0)
    rows = np.flatnonzero(painted(FRONT, tube)[:, 50, 0])
    assert (rows.min(), rows.max()) == (15, 84)  # 0.2 m beyond rows 25 and 74


def test_a_flat_body_is_thin_from_the_side():
    tube = Tube(TOP, LOW, (0.4,), 0.25, plain(RED), cap=0.01)
    widths = [
        (painted(View(yaw, 0.0), tube)[50, :, 0] > 0).sum()
        for yaw in (0.0, np.pi / 4, np.pi / 2)
    ]
    # 0.8 m · 50; times the root of (1 + 1/16)/2; times a quarter
    assert widths == pytest.approx([40, 29.2, 10], abs=1.01)


def test_the_nearer_tube_wins_in_either_order():
    near = Tube(TOP + 0.5 * AHEAD, LOW + 0.5 * AHEAD, (0.1,), 1.0, plain(BLUE))
    far = Tube(TOP, LOW, (0.3,), 1.0, plain(RED))
    pictures = [painted(FRONT, near, far), painted(FRONT, far, near)]
    assert np.array_equal(*pictures)
    assert pictures[0][50, 50] == pytest.approx(BLUE)
    assert painted(BACK, near, far)[50, 50] == pytest.approx(RED)


def test_the_cloth_turns_with_the_body():
    left_half = overlaid(plain(RED), BLUE, lambda angle, _: angle > 0)
    tube = Tube(TOP, LOW, (0.2,), 1.0, left_half)
    front = painted(FRONT, tube)[50]
    assert front[42] == pytest.approx(RED)
    assert front[58] == pytest.approx(BLUE)  # the person's left
    back = painted(BACK, tube)[50]
    assert back[42] == pytest.approx(BLUE)
    assert back[58] == pytest.approx(RED)


def test_the_front_of_a_flat_body_turns_with_it():
    left_half = overlaid(plain(RED), BLUE, lambda angle, _: angle > 0)
    tube = Tube(TOP, LOW, (0.4,), 0.5, left_half)
    row = painted(View(np.pi / 4, 0.0), tube)[50]
    # the front is 0.4 · 0.5 m ahead of the axis: 0.2 sin 45° · 50 pixels to the right
    assert np.flatnonzero(row[:, 0]).max() + 1 == pytest.approx(50 + 7.07, abs=1)
    assert np.flatnonzero(row[:, 2]).min() == pytest.approx(50 + 7.07, abs=1)


def test_the_length_of_a_cloth_is_metres_from_the_start():
    lower = overlaid(plain(RED), BLUE, lambda _, length: length > 0.6)
    column = painted(FRONT, Tube(TOP, LOW, (0.2,), 1.0, lower))[:, 50]
    assert column[25 + 29] == pytest.approx(RED)
    assert column[25 + 31] == pytest.approx(BLUE)


def test_light_from_the_left_leaves_the_right_in_the_dark():
    light = Light(azimuth=-np.pi / 2, ambient=0.3)
    row = painted(FRONT, Tube(TOP, LOW, (0.2,), 1.0, plain(RED)), light=light)[50, :, 0]
    assert row[42] > 0.7
    assert row[57] == pytest.approx(0.3)


def test_what_is_outside_changes_nothing():
    aside = Tube(TOP + 9 * ASIDE, LOW + 9 * ASIDE, (0.2,), 1.0, plain(RED))
    assert not painted(FRONT, aside).any()


def test_an_offset_moves_a_figure():
    picture = canvas()
    tube = Tube(TOP, LOW, (0.2,), 1.0, plain(RED))
    picture.draw([tube], FRONT, FLAT, offset=(0.4, 0.0, 0.0))
    assert np.array_equal(picture.colour[:, 20:], painted(FRONT, tube)[:, :80])
