from __future__ import annotations

import numpy as np
import pytest

from crosscam.synthetic.cameras import CAMERAS
from crosscam.synthetic.scenes import HEIGHT, WIDTH, panorama

SCENES = [camera.scene for camera in CAMERAS]


def test_every_camera_has_its_own_scene():
    assert len(set(SCENES)) == len(CAMERAS)
    pictures = [np.asarray(panorama(scene)).astype(float) for scene in SCENES]
    for row, one in enumerate(pictures):
        for other in pictures[:row]:
            assert np.abs(one - other).mean() > 15


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_is_the_same_each_time_and_varies_along_the_way(scene: str):
    picture = panorama(scene)
    assert picture.size == (WIDTH, HEIGHT)
    panorama.cache_clear()
    assert np.array_equal(picture, panorama(scene))
    blocks = np.asarray(picture).reshape(HEIGHT, 12, WIDTH // 12, 3)
    assert np.ptp(blocks.mean((0, 2)), axis=0).max() > 5
