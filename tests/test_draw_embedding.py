from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from threadpoolctl import threadpool_limits

from crosscam.draw.embedding import COLOURS, draw_embedding, embed


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(3, 20), 8, axis=0)
    rows = centres + 0.05 * rng.standard_normal(centres.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_like_comes_to_like(features):
    positions = embed(features, seed=0)
    distances = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert np.array_equal(distances.argmin(axis=1) // 8, np.repeat([0, 1, 2], 8))


def test_repeats_whatever_the_number_of_threads(features):
    with threadpool_limits(1):
        one = embed(features, seed=0)
    with threadpool_limits(2):
        two = embed(features, seed=0)
    assert np.array_equal(one, two)


def test_a_collapsed_model_is_one_point():
    collapsed = np.full((9, 4), 0.5, np.float32)
    assert np.array_equal(embed(collapsed, seed=0), np.zeros((9, 2)))


@pytest.mark.parametrize("num_images", [0, 1, 2, 3])
def test_few_images_are_enough(num_images):
    positions = embed(np.eye(num_images, 5, dtype=np.float32), seed=0)
    assert positions.shape == (num_images, 2)
    assert np.isfinite(positions).all()
    assert len(np.unique(positions, axis=0)) == num_images


def test_a_colour_per_identity_and_a_map_per_panel(features):
    pids, camids = np.repeat([5, 9, 7], 8), np.tile([0, 3], 12)
    one = draw_embedding({"trained": features}, pids, camids, seed=0)
    two = draw_embedding({"a": features, "b": features}, pids, camids, seed=0)
    shown = np.asarray(Image.open(io.BytesIO(one)).convert("RGB"))
    counts = [
        np.all(shown == np.round(255 * np.array(to_rgb(colour))), axis=2).sum()
        for colour in COLOURS
    ]
    assert min(counts[:3]) > 100
    assert max(counts[3:]) == 0
    wide = Image.open(io.BytesIO(two))
    assert wide.size == (2 * shown.shape[1], shown.shape[0])


def test_same_features_same_bytes(features):
    pids, camids = np.repeat([1, 2, 3], 8), np.tile([0, 1], 12)
    pictures = [draw_embedding({"x": features}, pids, camids, seed=1) for _ in "ab"]
    assert pictures[0] == pictures[1]
