from __future__ import annotations

import numpy as np
import pytest

from benchmarks.histogram import histogram_features, within_camera_rank1


def images(seed: int, num_images: int = 6) -> np.ndarray:
    """Return noise in which every image has its own mean colour."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(80, 160, (num_images, 1, 1, 3))
    noise = rng.integers(-20, 21, (num_images, 24, 16, 3))
    return (colours + noise).astype(np.uint8)


def test_a_red_and_a_blue_image_share_only_saturation_and_value():
    red, blue = np.zeros((2, 12, 16, 3), dtype=np.uint8)
    red[..., 0] = blue[..., 2] = 255
    features = histogram_features(np.stack([red, blue]), np.zeros(2, int), False)
    # R, G, B, H, S, V: green, saturation and value agree, 3 of 6 histograms
    assert features @ features.T == pytest.approx(np.array([[1, 0.5], [0.5, 1]]))


@pytest.mark.parametrize("normalise", [False, True])
def test_rows_have_length_one(normalise: bool):
    features = histogram_features(images(0), np.array([0, 0, 0, 1, 1, 1]), normalise)
    assert features.shape == (6, 288)
    assert features.dtype == np.float32
    assert np.linalg.norm(features, axis=1) == pytest.approx(np.ones(6))


def test_normalising_undoes_the_colours_of_a_camera():
    scene = images(1)
    other = (scene * 0.7 + np.array([40, 10, 0])).round().astype(np.uint8)
    both, camids = np.concatenate([scene, other]), np.repeat([0, 1], 6)
    found = {}
    for normalise in (False, True):
        features = histogram_features(both, camids, normalise)
        found[normalise] = (features[:6] @ features[6:].T).argmax(axis=1)
    assert found[True].tolist() == [0, 1, 2, 3, 4, 5]
    assert found[False].tolist() != [0, 1, 2, 3, 4, 5]


def test_the_nearest_in_the_same_camera_by_hand():
    features = np.array([[1, 0], [0.8, 0.6], [0, 1], [1, 0]], dtype=np.float32)
    # camera 0 holds rows 0, 1, 2: 0 finds 1 (right), 1 finds 0 (right), 2 finds 1
    pids, camids = np.array([1, 1, 2, 3]), np.array([0, 0, 0, 1])
    assert within_camera_rank1(features[:3], pids[:3], camids[:3]) == pytest.approx(
        2 / 3
    )
