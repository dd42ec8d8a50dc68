from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from crosscam.synthetic.cameras import CAMERAS, Camera
from crosscam.synthetic.sensor import develop, expose

NEUTRAL = replace(
    CAMERAS[0],
    gains=(1.0, 1.0, 1.0),
    saturation=1.0,
    contrast=1.0,
    gamma=1.0,
    haze=0.0,
    rows=128,
    noise=0.0,
    quality=95,
)
DAY = (1.0, 1.0, 1.0)


def pixel(camera: Camera, *colour: float, tint: tuple[float, ...] = DAY) -> np.ndarray:
    return develop(np.array([[colour]], dtype=np.float32), camera, tint)[0, 0]


def test_a_neutral_camera_shows_what_is_there():
    assert pixel(NEUTRAL, 0.2, 0.5, 0.8) == pytest.approx([0.2, 0.5, 0.8], abs=1e-6)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"gains": (1.5, 1.0, 0.5)}, [0.3, 0.5, 0.4]),
        ({"saturation": 0.0}, [0.443, 0.443, 0.443]),  # 0.3 r + 0.59 g + 0.11 b
        ({"gamma": 2.0}, [0.04, 0.25, 0.64]),
        ({"contrast": 2.0}, [0.0, 0.55, 1.0]),  # away from 0.45, clipped
        ({"haze": 0.5}, [0.475, 0.625, 0.775]),  # halfway to 0.75
    ],
)
def test_each_step_by_hand(change: dict[str, object], expected: list[float]):
    shown = pixel(replace(NEUTRAL, **change), 0.2, 0.5, 0.8)
    assert shown == pytest.approx(expected, abs=1e-6)


def test_the_tint_of_the_light_acts_like_white_balance():
    assert pixel(NEUTRAL, 0.2, 0.5, 0.8, tint=(1.5, 1, 0.5)) == pytest.approx(
        pixel(replace(NEUTRAL, gains=(1.5, 1, 0.5)), 0.2, 0.5, 0.8)
    )


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.scene)
def test_brighter_greys_stay_brighter(camera: Camera):
    greys = [pixel(camera, grey, grey, grey).mean() for grey in np.linspace(0, 1, 11)]
    assert (np.diff(greys) >= 0).all()
    assert greys[-1] - greys[0] > 0.4


def test_a_file_is_a_jpeg_of_the_right_size_and_colours():
    picture = np.zeros((256, 128, 3), dtype=np.float32)
    picture[:128] = (0.8, 0.4, 0.2)
    data = expose(picture, NEUTRAL, DAY, 0.0, np.random.default_rng(0))
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size, image.mode) == ("JPEG", (64, 128), "RGB")
    # JPEG of quality 95 keeps a flat area within 3 of 255
    assert np.asarray(image, dtype=float)[20, 30] == pytest.approx(
        [204, 102, 51], abs=3
    )
    assert np.asarray(image, dtype=float)[110, 30] == pytest.approx([0, 0, 0], abs=3)


def test_noise_comes_from_the_generator_alone():
    picture = np.full((256, 128, 3), 0.5, dtype=np.float32)
    noisy = replace(NEUTRAL, noise=0.05)
    files = [
        expose(picture, noisy, DAY, 0.0, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    assert files[0] == files[1] != files[2]


@pytest.mark.parametrize("loss", [{"rows": 40}, {"smear": 0.8}])
def test_resolution_and_motion_blur_lose_detail(loss: dict[str, float]):
    picture = np.zeros((256, 128, 3), dtype=np.float32)
    picture[:, ::8] = picture[:, 1::8] = picture[:, 2::8] = picture[:, 3::8] = 1.0
    camera = replace(NEUTRAL, rows=int(loss.get("rows", 128)))
    deviations = []
    for one, smear in ((NEUTRAL, 0.0), (camera, loss.get("smear", 0.0))):
        data = expose(picture, one, DAY, smear, np.random.default_rng(0))
        deviations.append(np.asarray(Image.open(io.BytesIO(data))).std())
    assert deviations[1] < 0.7 * deviations[0]
