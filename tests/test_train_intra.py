from __future__ import annotations

import logging
from dataclasses import replace

import pytest
import torch

from crosscam.cluster.pseudo_labels import OUTLIER, CutParams
from crosscam.model.heads import HeadParams
from crosscam.train import intra as module
from crosscam.train.intra import intra_round
from crosscam.train.optimise import TrainingError
from crosscam.train.rounds import TrainingSet
from tests.tiny import (
    ARCHITECTURE,
    CAMIDS,
    FIRST_INTRA,
    INTRA,
    NUM_PEOPLE,
    PIDS,
    SETTING,
    state_bytes,
    tiny_images,
    tiny_network,
)


def trained(
    images=None, params=INTRA, setting=SETTING, position=FIRST_INTRA, **changes
):
    network = tiny_network(replace(ARCHITECTURE, **changes))
    done = intra_round(
        network, images or tiny_images(), params, setting, position, 2, 0.002
    )
    return network, done


def all_bytes(network, done):
    return state_bytes(network, *done.heads.values()) + done.pseudo_labels.tobytes()


def test_a_head_per_camera():
    network, done = trained()
    assert sorted(done.heads) == [0, 1, 2]
    for camid, head in done.heads.items():
        num_clusters = done.pseudo_labels[camid == CAMIDS].max() + 1
        assert head.weight.shape == (num_clusters, network.feature_size)
    assert [epoch.num_images for epoch in done.epochs] == [45, 45]
    assert [epoch.num_steps for epoch in done.epochs] == [2, 2]  # 24 and 21 images
    assert network.training


def test_the_loss_falls():
    network = tiny_network()
    lr, images = 0.002, tiny_images()
    done = intra_round(network, images, INTRA, SETTING, FIRST_INTRA, 8, lr)
    losses = [epoch.loss for epoch in done.epochs]
    assert losses[-1] < losses[0]
    assert state_bytes(network) != state_bytes(tiny_network())


def test_pseudo_labels_find_the_people():
    # Colours are far apart: even a random network tells them.
    _, done = trained()
    for camid in range(3):
        own = camid == CAMIDS
        pairs = set(zip(done.pseudo_labels[own], PIDS[own], strict=True))
        assert len(pairs) == NUM_PEOPLE


def test_same_seed_same_bytes_whatever_came_before():
    first = all_bytes(*trained())
    network = tiny_network()
    torch.manual_seed(99)
    done = intra_round(network, tiny_images(), INTRA, SETTING, FIRST_INTRA, 2, 0.002)
    assert all_bytes(network, done) == first


def test_another_seed_or_position_other_bytes():
    first = all_bytes(*trained())
    assert all_bytes(*trained(setting=replace(SETTING, seed=1))) != first
    later = FIRST_INTRA._replace(round=1)
    assert all_bytes(*trained(position=later)) != first
    other = FIRST_INTRA._replace(stream=3)
    assert all_bytes(*trained(position=other)) != first


def test_linear_heads_start_at_random_but_the_same():
    setting = replace(SETTING, head=HeadParams("linear", 1.0))
    network = tiny_network(replace(ARCHITECTURE, neck="head"))
    torch.manual_seed(4)
    done = intra_round(network, tiny_images(), INTRA, setting, FIRST_INTRA, 2, 0.002)
    same = trained(setting=setting, neck="head")
    assert all_bytes(network, done) == all_bytes(*same)


def test_a_camera_with_a_single_image():
    pixels, _ = tiny_images()
    camids = CAMIDS.copy()
    camids[0] = 8
    _, done = trained(TrainingSet(pixels, camids))
    assert done.pseudo_labels[0] == 0
    assert done.heads[8].weight.shape[0] == 1


def test_a_camera_of_outliers_has_no_head():
    pixels, _ = tiny_images()
    camids = CAMIDS.copy()
    camids[0] = 8
    cut = CutParams("count", NUM_PEOPLE, 0.1, min_size=2)
    _, done = trained(TrainingSet(pixels, camids), params=replace(INTRA, clusters=cut))
    assert done.pseudo_labels[0] == OUTLIER
    assert sorted(done.heads) == [0, 1, 2]
    num_labelled = (done.pseudo_labels != OUTLIER).sum()
    assert {epoch.num_images for epoch in done.epochs} == {num_labelled}


def test_names_of_cameras_do_not_matter():
    pixels, _ = tiny_images()
    first = all_bytes(*trained())
    assert all_bytes(*trained(TrainingSet(pixels, CAMIDS * 10 + 3))) == first


def test_all_images_are_outliers(caplog):
    cut = CutParams("count", NUM_PEOPLE, 0.1, min_size=16)  # a camera has 15 images
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(
            TrainingError,
            match=r"intra round 1/1: no camera has a cluster, .*raise intra\.clusters",
        ),
    ):
        trained(params=replace(INTRA, clusters=cut))
    assert "clusters per camera [0, 0, 0], 45 of 45 images are outliers" in caplog.text


def test_a_learning_rate_that_breaks_the_network():
    network = tiny_network()
    with pytest.raises(TrainingError, match=r"intra round 1/1 epoch [123]: the loss"):
        intra_round(network, tiny_images(), INTRA, SETTING, FIRST_INTRA, 3, 1e30)


def test_the_loss_is_that_of_each_camera_alone(monkeypatch):
    """Every image gets the logits of its own camera's head and its own label."""
    seen = []
    original = module.camera_cross_entropy

    def loss(logits, labels, camids):
        seen.append(({c: v.shape for c, v in logits.items()}, labels, camids))
        return original(logits, labels, camids)

    monkeypatch.setattr(module, "camera_cross_entropy", loss)
    _, done = trained()
    for shapes, labels, camids in seen:
        for camid, (num_images, num_classes) in shapes.items():
            assert num_images == (camids == camid).sum()
            assert num_classes == done.heads[camid].weight.shape[0]
            assert labels[camids == camid].max() < num_classes
