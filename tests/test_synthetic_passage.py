from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crosscam.synthetic.cameras import CAMERAS
from crosscam.synthetic.passage import NUM_STRANGERS, Moment, draw_moment


def tracklet_of(seed: int, camid: int = 0) -> list[Moment]:
    return [
        draw_moment(
            CAMERAS[camid],
            np.random.default_rng((seed, 0)),
            np.random.default_rng((seed, 1, step)),
            step,
        )
        for step in range(4)
    ]


def test_a_tracklet_shares_obstacles_and_moves_on():
    for seed in range(20):
        moments = tracklet_of(seed)
        for name in ("obstacle", "passer_by", "stranger", "stride", "pitch"):
            assert len({getattr(moment, name) for moment in moments}) == 1
        phases = [moment.phase for moment in moments]
        assert (np.diff(phases) > 0.5).all()
        turns = np.diff([moment.yaw for moment in moments])
        assert np.abs(turns).max() < np.radians(45)


def test_values_are_in_their_ranges():
    for seed in range(60):
        for moment in tracklet_of(seed, camid=seed % len(CAMERAS)):
            assert 0 <= moment.place <= 1
            assert 0 <= moment.smear < 1
            assert 0 <= moment.stranger < NUM_STRANGERS
            assert 0.8 < moment.zoom < 1.4
            assert 0.2 < min(moment.tint) <= max(moment.tint) < 2


def test_people_stand_to_a_camera_as_its_table_says():
    camera = replace(CAMERAS[0], yaw=30.0, yaw_spread=0.0, two_way=False)
    yaws = [
        draw_moment(camera, np.random.default_rng(i), np.random.default_rng(i), 0).yaw
        for i in range(100)
    ]
    assert np.degrees(yaws).mean() == pytest.approx(30, abs=2)
    both = replace(camera, two_way=True)
    yaws = [
        draw_moment(both, np.random.default_rng(i), np.random.default_rng(i), 0).yaw
        for i in range(100)
    ]
    assert 25 < (np.cos(np.array(yaws) - np.radians(30)) < 0).sum() < 75
