from __future__ import annotations

import copy
import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster.pseudo_labels import OUTLIER, CutParams
from crosscam.model.heads import Head, HeadParams
from crosscam.train import inter as module
from crosscam.train.features import raw_features, styled_features
from crosscam.train.inter import (
    ALL_CAMERAS,
    MixParams,
    TripletParams,
    clusters_of,
    inter_round,
    train_on,
)
from crosscam.train.measure import measure_norms, measure_styles
from crosscam.train.optimise import TrainingError
from crosscam.train.progress import Progress
from crosscam.train.views import DistilParams, Views
from tests import oracles
from tests.tiny import (
    ARCHITECTURE,
    DISTILLED,
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
    done = inter_round(
        network, heads, tiny_images(), params, setting, position, Progress(network)
    )
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
    done = inter_round(
        network, heads, tiny_images(), INTER, SETTING, FIRST_INTER, Progress(network)
    )
    reversed_heads = dict(reversed(heads.items()))
    again = inter_round(
        turned,
        reversed_heads,
        tiny_images(),
        INTER,
        SETTING,
        FIRST_INTER,
        Progress(turned),
    )
    assert all_bytes(turned, again) == all_bytes(network, done)


def test_heads_of_the_cameras_are_left_alone():
    network = tiny_network()
    heads = heads_of(network)
    before = state_bytes(*heads.values())
    inter_round(
        network, heads, tiny_images(), INTER, SETTING, FIRST_INTER, Progress(network)
    )
    assert state_bytes(*heads.values()) == before


def test_learning_rate_decays_by_round():
    # Two rounds later a quarter; one epoch of constant rate ends where it began.
    setting = replace(SETTING, optim=replace(SETTING.optim, schedule="constant"))
    _, first = trained(setting=setting)
    _, third = trained(setting=setting, position=FIRST_INTER._replace(round=1))
    assert first.epochs[0].lr == pytest.approx(0.002)
    assert third.epochs[0].lr == pytest.approx(0.001)


def test_scores_that_do_not_count_are_not_computed(monkeypatch):
    asked = []
    original = module.styled_features

    def features(*args):
        asked.append(len(args[-1]))
        return original(*args)

    monkeypatch.setattr(module, "styled_features", features)
    trained()
    trained(params=replace(INTER, mix=MixParams(0.0, 0.6)))
    assert asked == [3, 0]


def test_mixing_weight_follows_the_round(monkeypatch):
    seen = []
    original = module.inter_pseudo_labels

    def labels(*args, **options):
        seen.append((options["num_heads"], options["mixing_weight"]))
        return original(*args, **options)

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
    progress = Progress(same)
    clusters = progress.clusters(
        FIRST_INTER, lambda: clusters_of(same, raw, done.pseudo_labels, SETTING)
    )
    again = train_on(same, clusters, images, INTER, SETTING, FIRST_INTER, progress)
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


def test_clusters_of_single_images_teach_nothing(monkeypatch):
    alone = np.arange(45, dtype=np.int32)
    monkeypatch.setattr(module, "inter_pseudo_labels", lambda *_, **__: alone)
    told = "inter round 1/2: needs a cluster of two images, got 45 of one each: lower"
    with pytest.raises(TrainingError, match=told):
        trained()


def test_what_is_odd_about_the_clusters_is_said(monkeypatch, caplog):
    odd = np.array([0] * 40 + [1] * 5, np.int32)
    monkeypatch.setattr(module, "inter_pseudo_labels", lambda *_, **__: odd)
    trained()
    (message,) = caplog.messages
    assert message.startswith("inter round 1/2: 89% of the images are one cluster: low")


def test_a_loss_that_is_not_finite():
    with pytest.raises(TrainingError, match=r"inter round 1/2 epoch [123]: the loss"):
        trained(replace(INTER, epochs=3, lr=1e30))


# Self-distillation, AIBN and camera styles

WHOLE = {"aibn": "deep", "tnorm": True}


def distilled(cross_entropy, triplet, restyle=0.5):
    return replace(SETTING, distil=DistilParams(cross_entropy, triplet, restyle))


def test_weights_of_zero_leave_training_as_it_was():
    first = all_bytes(*trained())
    assert all_bytes(*trained(setting=distilled(0.0, 0.0, 1.0))) == first
    others = [distilled(0.5, 0.0), distilled(0.0, 0.5), distilled(0.5, 0.5)]
    found = {all_bytes(*trained(setting=setting)) for setting in others}
    assert len(found | {first}) == 4


@given(
    seed=st.integers(0, 2**63 - 1),
    weights=st.tuples(*[st.sampled_from([0.0, 0.5, 2.0])] * 3),
)
def test_the_loss_is_the_sum_of_its_parts(seed, weights):
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, 6, 4, generator=generator)
    labels = torch.tensor([0, 1, 2, 1, 0, 2])
    head = Head(4, 3, HeadParams("linear", 1.0), neck=False)
    torch.nn.init.normal_(head.weight, generator=generator)
    triplet, soft, soft_triplet = weights
    params = TripletParams(triplet, 0.3), DistilParams(soft, soft_triplet, 0.5)
    loss = module._loss(Views(first, second), head, labels, *params).item()
    one, two, of = first.tolist(), second.tolist(), labels.tolist()
    logits, others = head(first).tolist(), head(second).tolist()
    right = [oracles.softmax(row)[k] for row, k in zip(logits, of, strict=True)]
    hard = -sum(math.log(probability) for probability in right) / 6
    hard += triplet * oracles.batch_hard_triplet(one, of, 0.3)
    # The second view learns from the first.
    expected = hard + soft * oracles.soft_cross_entropy(others, logits)
    expected += soft_triplet * oracles.soft_triplet(two, one, of)
    assert loss == pytest.approx(expected, rel=1e-4)
    alone = module._loss(Views(first, None), head, labels, *params).item()
    assert alone == pytest.approx(hard, rel=1e-4)


@pytest.mark.parametrize("left_out", ["triplet", "soft", "soft_triplet"])
def test_a_part_of_weight_zero_is_not_computed(monkeypatch, left_out):
    parts = {
        "triplet": "batch_hard_triplet",
        "soft": "soft_cross_entropy",
        "soft_triplet": "soft_triplet",
    }
    for part, name in parts.items():
        # 0 · inf would not be finite.
        value = torch.tensor(math.inf if part == left_out else 1.0)
        monkeypatch.setattr(module, name, lambda *_, value=value: value)
    weights = [0.0 if part == left_out else 1.0 for part in parts]
    params = TripletParams(weights[0], 0.3), DistilParams(*weights[1:], 0.5)
    head = Head(3, 2, HeadParams("linear", 1.0), neck=False)
    torch.nn.init.zeros_(head.weight)
    views, labels = (
        Views(torch.ones(4, 3), torch.ones(4, 3)),
        torch.tensor([0, 0, 1, 1]),
    )
    loss = module._loss(views, head, labels, *params).item()
    assert loss == pytest.approx(math.log(2) + 2)


def test_no_gradient_to_the_view_that_teaches():
    first, second = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
    head, labels = Head(3, 2, SETTING.head, neck=False), torch.tensor([0, 0, 1, 1])
    params = TripletParams(0.0, 0.3), DistilParams(1.0, 1.0, 0.5)
    whole = module._loss(Views(first, second), head, labels, *params)
    alone = module._loss(Views(first, None), head, labels, *params)
    (taught,) = torch.autograd.grad(whole, first)
    assert torch.equal(taught, torch.autograd.grad(alone, first)[0])


def test_all_parts_at_once_repeat_to_the_byte():
    network, done = trained(setting=DISTILLED, **WHOLE)
    first = all_bytes(network, done)
    assert all_bytes(*trained(setting=DISTILLED, before=1, **WHOLE)) == first
    assert all(math.isfinite(epoch.loss) for epoch in done.epochs)


def test_images_are_clustered_in_all_styles(monkeypatch):
    network, images = tiny_network(replace(ARCHITECTURE, **WHOLE)), tiny_images()
    measure_norms(network, images)
    heads, seen = heads_of(network), []
    measured = copy.deepcopy(network)
    measure_styles(measured, images, 64)
    raw, scores = styled_features(measured, *images, 64, heads)
    original = module.inter_pseudo_labels

    def labels(features, scores, *args, **options):
        seen.append((features, scores))
        return original(features, scores, *args, **options)

    monkeypatch.setattr(module, "inter_pseudo_labels", labels)
    inter_round(
        network, heads, images, INTER, DISTILLED, FIRST_INTER, Progress(network)
    )
    ((found, found_scores),) = seen
    assert (found == module.unit_features(raw)).all()
    assert (found_scores == scores).all()


def test_styles_stay_while_it_trains():
    network, images = tiny_network(replace(ARCHITECTURE, **WHOLE)), tiny_images()
    measure_norms(network, images)
    measure_styles(network, images, 64)
    before = state_bytes(network.styles)
    inter_round(
        network,
        heads_of(network),
        images,
        INTER,
        DISTILLED,
        FIRST_INTER,
        Progress(network),
    )
    assert state_bytes(network.styles) == before


def by_density(**changes):
    cut = CutParams("density", 5, 0.1, min_size=1, eps=0.7, min_samples=3)
    rerank, mix = replace(INTER.rerank, lambda_=0.0), MixParams(0.0, 0.6)
    suited = {"clusters": cut, "rerank": rerank, "mix": mix}
    return replace(INTER, **(suited | changes))


def test_clusters_by_density():
    _, done = trained(by_density())
    assert done.pseudo_labels.max() >= 1
    assert done.epochs[0].num_steps > 0


@pytest.mark.parametrize("name", ["rerank", "mix"])
def test_density_needs_no_distances_between_all_pairs(name):
    with pytest.raises(
        ValueError, match=rf"^{name}\..*: must be 0 where clusters.by is"
    ):
        by_density(**{name: getattr(INTER, name)})
