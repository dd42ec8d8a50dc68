from __future__ import annotations

import logging
from dataclasses import replace

import pytest
import torch

from crosscam.cluster.pseudo_labels import OUTLIER, CutParams
from crosscam.model.heads import Head, HeadParams
from crosscam.train import inter as module
from crosscam.train.features import raw_features
from crosscam.train.inter import (
    ALL_CAMERAS,
    MixParams,
    TripletParams,
    inter_round,
    train_on,
)
from crosscam.train.optimise import TrainingError
from tests.tiny import (
    ARCHITECTURE,
    FIRST_INTER,
    INTER,
    NUM_CAMERAS,
    SETTING,
    state_bytes,
    tiny_images,
    tiny_network,
)


def heads_of(network):
    torch.manual_seed(3)
    size, params = network.feature_size, SETTING.head
    return {c: Head(size, 5, params, neck=False) for c in range(NUM_CAMERAS)}


def trained(params=INTER, setting=SETTING, position=FIRST_INTER, before=0, **changes):
    network = tiny_network(replace(ARCHITECTURE, **changes))
    heads = heads_of(network)
    torch.manual_seed(before)
    done = inter_round(network, heads, tiny_images(), params, setting, position)
    return network, done


def all_bytes(network, done):
    return state_bytes(network, *done.heads.values()) + done.pseudo_labels.tobytes()


def test_one_head_over_all_cameras():
    network, done = trained()
    assert list(done.heads) == [ALL_CAMERAS]
    num_clusters = done.pseudo_labels.max() + 1
    assert done.heads[ALL_CAMERAS].weight.shape == (num_clusters, network.feature_size)
    assert done.pseudo_labels.shape == (45,)
    assert len(done.epochs) == INTER.epochs
    assert done.epochs[0].num_images % INTER.num_instances == 0
    assert network.training


def test_same_seed_same_bytes_whatever_came_before():
    first = all_bytes(*trained(before=0))
    assert all_bytes(*trained(before=1)) == first
    assert all_bytes(*trained(setting=replace(SETTING, seed=1))) != first
    assert all_bytes(*trained(position=FIRST_INTER._replace(stream=3))) != first


def test_a_linear_head_starts_at_random_but_the_same():
    setting = replace(SETTING, head=HeadParams("linear", 1.0))
    first = all_bytes(*trained(setting=setting, before=0, neck="head"))
    assert all_bytes(*trained(setting=setting, before=1, neck="head")) == first


def test_order_of_the_heads_does_not_matter():
    network, turned = tiny_network(), tiny_network()
    heads = heads_of(network)
    done = inter_round(network, heads, tiny_images(), INTER, SETTING, FIRST_INTER)
    reversed_heads = dict(reversed(heads.items()))
    again = inter_round(
        turned, reversed_heads, tiny_images(), INTER, SETTING, FIRST_INTER
    )
    assert all_bytes(turned, again) == all_bytes(network, done)


def test_heads_of_the_cameras_are_left_alone():
    network = tiny_network()
    heads = heads_of(network)
    before = state_bytes(*heads.values())
    inter_round(network, heads, tiny_images(), INTER, SETTING, FIRST_INTER)
    assert state_bytes(*heads.values()) == before


def test_learning_rate_decays_by_round():
    # Two rounds later a quarter; one epoch of constant rate ends where it began.
    setting = replace(SETTING, optim=replace(SETTING.optim, schedule="constant"))
    _, first = trained(setting=setting)
    _, third = trained(setting=setting, position=FIRST_INTER._replace(round=1))
    assert first.epochs[0].lr == pytest.approx(0.002)
    assert third.epochs[0].lr == pytest.approx(0.001)


def test_mixing_weight_follows_the_round(monkeypatch):
    seen = []
    original = module.inter_pseudo_labels

    def labels(*args, num_heads, mixing_weight):
        seen.append((num_heads, mixing_weight))
        return original(*args, num_heads=num_heads, mixing_weight=mixing_weight)

    monkeypatch.setattr(module, "inter_pseudo_labels", labels)
    trained()
    trained(position=FIRST_INTER._replace(round=1))
    trained(params=replace(INTER, mix=MixParams(0.0, 0.6)))
    weights = [0.02, 0.02 * 0.5**0.6, 0.0]
    assert seen == [(3, pytest.approx(weight)) for weight in weights]


def test_the_triplet_loss_has_a_weight(monkeypatch):
    asked = []

    def triplet(features, labels, margin):
        asked.append(margin)
        return features.sum() * 0 + 10

    monkeypatch.setattr(module, "batch_hard_triplet", triplet)
    slow = replace(INTER, lr=1e-9)  # so that the network stays what it was
    without = replace(slow, triplet=TripletParams(0.0, 0.3))
    half = replace(slow, triplet=TripletParams(0.5, 0.7))
    base = trained(without)[1].epochs[0].loss
    assert not asked
    assert trained(half)[1].epochs[0].loss == pytest.approx(base + 5, abs=1e-4)
    assert set(asked) == {0.7}


def test_a_round_is_training_on_what_clustering_found():
    network, done = trained()
    same, images = tiny_network(), tiny_images()
    raw = raw_features(same, images.pixels, SETTING.compute.batch_size)
    labels = done.pseudo_labels
    again = train_on(same, raw, labels, images, INTER, SETTING, FIRST_INTER)
    assert all_bytes(same, again) == all_bytes(network, done)


def test_outliers_are_not_trained_on():
    cut = CutParams("quantile", 5, 0.05, min_size=2)
    _, done = trained(replace(INTER, clusters=cut))
    outliers = (done.pseudo_labels == OUTLIER).sum()
    assert 0 < outliers < 45
    num_clusters = done.pseudo_labels.max() + 1
    assert done.heads[ALL_CAMERAS].weight.shape[0] == num_clusters


@pytest.mark.parametrize(
    ("cut", "found"),
    [
        (CutParams("count", 1, 0.1, 1), 1),
        (CutParams("count", 5, 0.1, min_size=46), 0),
    ],
    ids=["collapse", "outliers"],
)
def test_fewer_than_two_clusters(caplog, cut, found):
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(
            TrainingError,
            match=rf"inter round 1/2: needs two clusters, got {found}: change inter\.",
        ),
    ):
        trained(replace(INTER, clusters=cut))
    assert f"inter round 1/2 {found} clusters" in caplog.text


def test_a_loss_that_is_not_finite():
    with pytest.raises(TrainingError, match=r"inter round 1/2 epoch [123]: the loss"):
        trained(replace(INTER, epochs=3, lr=1e30))
