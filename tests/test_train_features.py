from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from crosscam.data.augment import normalise
from crosscam.model.heads import Head, HeadParams
from crosscam.train.features import raw_features, score_vectors, unit_features
from tests.tiny import ARCHITECTURE, tiny_images, tiny_network

LINEAR = HeadParams("linear", 1.0)


def head_with(*rows):
    weight = torch.tensor(rows)
    head = Head(weight.shape[1], len(weight), LINEAR, neck=False)
    with torch.no_grad():
        head.weight.copy_(weight)
    return head


def test_mean_of_an_image_and_its_mirror_image():
    network, pixels = tiny_network(), tiny_images().pixels[:3]
    raw = raw_features(network.train(), pixels, batch_size=8)
    assert not network.training
    batch = normalise(pixels, network.mean, network.std)
    with torch.no_grad():
        expected = (network(batch) + network(batch.flip(3))) / 2
    assert torch.allclose(raw, expected, atol=1e-6)
    assert raw.shape == (3, network.feature_size)


def test_a_mirror_image_has_the_same_features():
    network, pixels = tiny_network(), tiny_images().pixels[:3]
    raw = raw_features(network, pixels, batch_size=8)
    assert torch.allclose(raw, raw_features(network, pixels.flip(3), 8), atol=1e-5)


def test_size_of_the_batches_does_not_matter():
    network, pixels = tiny_network(), tiny_images().pixels
    whole = raw_features(network, pixels, batch_size=64)
    for size in (1, 7, 44):
        assert torch.allclose(raw_features(network, pixels, size), whole, atol=1e-5)


def test_no_images():
    network, none = tiny_network(), torch.empty(0, 3, 64, 32, dtype=torch.uint8)
    raw = raw_features(network, none, batch_size=8)
    assert raw.shape == (0, network.feature_size)
    assert unit_features(raw).shape == (0, network.feature_size)


def test_the_running_statistics_stay():
    network = tiny_network(replace(ARCHITECTURE, neck="feature"))
    before = network.neck.running_mean.clone()
    raw_features(network, tiny_images().pixels[:4], batch_size=2)
    assert torch.equal(network.neck.running_mean, before)


def test_unit_length():
    features = unit_features(torch.tensor([[3.0, 4.0], [0.0, -2.0], [0.0, 0.0]]))
    assert features.ravel().tolist() == pytest.approx([0.6, 0.8, 0, -1, 0, 0])
    assert features.dtype == np.float32


def test_scores_of_two_heads_by_hand():
    # ln 3 and 0 give 3/4 and 1/4; three equal logits a third each.
    log3 = float(np.log(3))
    heads = {4: head_with((0.0,), (0.0,), (0.0,)), 1: head_with((log3,), (0.0,))}
    scores = score_vectors(heads, torch.ones(1, 1))
    assert scores.tolist() == [pytest.approx([3 / 4, 1 / 4, 1 / 3, 1 / 3, 1 / 3])]
    turned = score_vectors(dict(reversed(heads.items())), torch.ones(1, 1))
    assert np.array_equal(turned, scores)


def test_scores_do_not_depend_on_the_other_images():
    torch.manual_seed(0)
    heads = {0: Head(4, 3, LINEAR, neck=True).train()}
    raw = torch.randn(6, 4)
    scores = score_vectors(heads, raw)
    assert np.allclose(score_vectors(heads, raw[:1]), scores[:1])
    assert scores.sum(axis=1) == pytest.approx(np.ones(6))
    assert heads[0].norm.running_mean.tolist() == [0, 0, 0, 0]
