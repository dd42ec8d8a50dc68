from __future__ import annotations

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster.pseudo_labels import OUTLIER, CutParams
from crosscam.model.aibn import AIBN
from crosscam.model.heads import Head, HeadParams
from crosscam.train import intra as module
from crosscam.train.history import history, summary
from crosscam.train.intra import intra_round
from crosscam.train.measure import measure_norms, measure_styles
from crosscam.train.optimise import TrainingError
from crosscam.train.progress import Progress
from crosscam.train.rounds import TrainingSet
from crosscam.train.views import DistilParams, Views
from tests import oracles
from tests.tiny import (
    ARCHITECTURE,
    CAMIDS,
    DISTILLED,
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
        network,
        images or tiny_images(),
        params,
        setting,
        position,
        2,
        0.002,
        Progress(network),
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
    done = intra_round(
        network, images, INTRA, SETTING, FIRST_INTRA, 8, lr, Progress(network)
    )
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
    done = intra_round(
        network, tiny_images(), INTRA, SETTING, FIRST_INTRA, 2, 0.002, Progress(network)
    )
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
    done = intra_round(
        network, tiny_images(), INTRA, setting, FIRST_INTRA, 2, 0.002, Progress(network)
    )
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


def test_a_camera_without_clusters_is_said(monkeypatch, caplog):
    labels = np.where(CAMIDS == 1, OUTLIER, PIDS - 1).astype(np.int32)
    monkeypatch.setattr(module, "intra_pseudo_labels", lambda *_: labels)
    _, done = trained()
    assert sorted(done.heads) == [0, 2]
    (message,) = caplog.messages
    assert message.startswith("intra round 1/1: camera 2: every image is an outlier:")


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
        intra_round(
            network,
            tiny_images(),
            INTRA,
            SETTING,
            FIRST_INTRA,
            3,
            1e30,
            Progress(network),
        )


def test_the_loss_is_that_of_each_camera_alone(monkeypatch):
    """Every image gets the logits of its own camera's head and its own label."""
    seen = []
    original = module.camera_cross_entropy

    def loss(logits, labels):
        seen.append(({c: v.shape for c, v in logits.items()}, labels))
        return original(logits, labels)

    monkeypatch.setattr(module, "camera_cross_entropy", loss)
    _, done = trained()
    for shapes, labels in seen:
        assert sorted(shapes) == sorted(labels)
        for camid, (num_images, num_classes) in shapes.items():
            assert num_images == len(labels[camid])
            assert num_classes == done.heads[camid].weight.shape[0]
            assert labels[camid].max() < num_classes


def test_a_batch_is_sorted_out_by_camera():
    camids, labels = np.array([8, 2, 8, 5, 2]), np.array([3, 0, 1, 4, 7], np.int32)
    own = module._by_camera(camids, labels, torch.device("cpu"))
    assert {c: (p.tolist(), v.tolist()) for c, (p, v) in own.items()} == {
        2: ([1, 4], [0, 7]), 5: ([3], [4]), 8: ([0, 2], [3, 1])
    }  # fmt: skip


# Self-distillation, AIBN and camera styles

WHOLE = {"aibn": "deep", "tnorm": True}


def distilled(cross_entropy, triplet=0.0, restyle=0.5):
    return replace(SETTING, distil=DistilParams(cross_entropy, triplet, restyle))


def test_weights_of_zero_leave_training_as_it_was():
    first = all_bytes(*trained())
    # No style is known, and the triplet loss is one across cameras.
    for setting in (distilled(0.0, restyle=1.0), distilled(0.0, triplet=1.0)):
        assert all_bytes(*trained(setting=setting)) == first
    assert all_bytes(*trained(setting=distilled(0.5))) != first


@pytest.mark.parametrize(("setting", "num_views"), [(SETTING, 1), (DISTILLED, 2)])
def test_a_step_sees_one_view_or_two(setting, num_views):
    network = tiny_network()
    modes = []
    network.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    intra_round(
        network, tiny_images(), INTRA, setting, FIRST_INTRA, 2, 0.002, Progress(network)
    )
    assert sum(modes) == 4 * num_views


@given(seed=st.integers(0, 2**63 - 1), weight=st.sampled_from([0.5, 2.0]))
def test_the_loss_is_the_sum_of_its_parts(seed, weight):
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, 6, 4, generator=generator).requires_grad_()
    labels, camids = np.array([0, 1, 2, 1, 0, 2]), np.array([5, 5, 5, 5, 8, 5])
    own = module._by_camera(camids, labels, first.device)
    heads = {c: Head(4, 3, HeadParams("linear", 1.0), neck=False) for c in (5, 8)}
    for head in heads.values():
        torch.nn.init.normal_(head.weight, generator=generator)
    distil = DistilParams(weight, 9.0, 0.5)
    views = Views(first, second)
    loss = module._loss(views, heads, own, distil).item()
    one, two = (
        [heads[c](view[i]).tolist() for i, c in enumerate(camids.tolist())]
        for view in views
    )
    # Two cameras: twice the mean over all images.
    right = [oracles.softmax(row)[k] for row, k in zip(one, labels, strict=True)]
    hard = -2 * sum(math.log(probability) for probability in right) / 6
    soft = 2 * oracles.soft_cross_entropy(two, one)
    assert loss == pytest.approx(hard + weight * soft, rel=1e-5)
    alone = module._loss(Views(first, None), heads, own, distil).item()
    assert alone == pytest.approx(hard, rel=1e-5)


@pytest.fixture(scope="module")
def whole():
    """Return a network trained with all parts at once."""
    return trained(setting=DISTILLED, **WHOLE)


def test_all_parts_at_once_repeat_to_the_byte(whole):
    network, done = whole
    torch.manual_seed(99)
    assert all_bytes(*trained(setting=DISTILLED, **WHOLE)) == all_bytes(network, done)
    assert sorted(done.heads) == [0, 1, 2]
    assert all(math.isfinite(epoch.loss) for epoch in done.epochs)
    # Every part has learnt, but for the shift that the neck has not.
    start = tiny_network(replace(ARCHITECTURE, **WHOLE)).state_dict()
    state = network.state_dict()
    assert {k for k in state if torch.equal(state[k], start[k])} == {"neck.bias"}


@pytest.mark.parametrize("part", [{"aibn": "none"}, {"tnorm": False}])
def test_each_part_makes_a_difference(whole, part):
    _, done = trained(setting=DISTILLED, **WHOLE | part)
    assert done.epochs[0].loss != whole[1].epochs[0].loss


def test_norms_are_measured_before_the_first_round_alone():
    network = tiny_network(replace(ARCHITECTURE, **WHOLE))
    norms = [m for m in network.modules() if isinstance(m, AIBN)]

    def batches_after(position):
        intra_round(
            network,
            tiny_images(),
            INTRA,
            DISTILLED,
            position,
            2,
            0.002,
            Progress(network),
        )
        return {norm.num_batches_tracked.item() for norm in norms}

    # One batch of all images, then two epochs of two steps of two views.
    assert batches_after(FIRST_INTRA) == {1 + 8}
    assert batches_after(FIRST_INTRA._replace(round=1)) == {1 + 8 + 8}


def styled_network():
    return tiny_network(replace(ARCHITECTURE, **WHOLE))


def test_a_round_trains_with_measured_norms_and_styles():
    network, measured = styled_network(), styled_network()
    # Before the training: it moves no style.
    intra_round(
        network,
        tiny_images(),
        INTRA,
        DISTILLED,
        FIRST_INTRA,
        1,
        0.002,
        Progress(network),
    )
    measure_norms(measured, tiny_images())
    measure_styles(measured, tiny_images(), 64)
    assert state_bytes(network.styles) == state_bytes(measured.styles)
    assert state_bytes(network.styles) != state_bytes(styled_network().styles)


def test_the_size_of_other_passes_moves_no_statistic_of_norms():
    """Images at a time in extraction: a matter of memory, and none of the method."""
    params, found = replace(INTRA, epochs=0), []
    for size in (5, 64):
        compute = replace(DISTILLED.compute, batch_size=size)
        network = styled_network()
        progress, setting = Progress(network), replace(DISTILLED, compute=compute)
        at, images = FIRST_INTRA, tiny_images()
        intra_round(network, images, params, setting, at, 0, 0.002, progress)
        found.append(state_bytes(network))
    assert found[0] == found[1]


def test_density_needs_no_distances_between_all_pairs():
    cut = replace(INTRA.clusters, by="density")
    with pytest.raises(ValueError, match=r"^rerank\.lambda_: must be 0 where clusters"):
        replace(INTRA, clusters=cut)
    suited = replace(INTRA, clusters=cut, rerank=replace(INTRA.rerank, lambda_=0.0))
    assert suited.clusters.eps == 0.6


# Rounds that train nothing


@pytest.mark.parametrize("kind", ["cosine", "linear"])
def test_a_round_without_epochs_makes_clusters_and_heads(kind):
    params, setting = replace(INTRA, epochs=0), DISTILLED
    setting = replace(setting, head=replace(setting.head, kind=kind))
    network, measured = styled_network(), styled_network()
    done = intra_round(
        network,
        tiny_images(),
        params,
        setting,
        FIRST_INTRA,
        params.epochs,
        0.002,
        Progress(network),
    )
    assert done.epochs == []
    assert done.number == 1
    assert sorted(done.heads) == [0, 1, 2]
    # The same clusters as where training follows, by a network that nothing moved.
    _, other = trained(setting=setting, **WHOLE)
    assert (done.pseudo_labels == other.pseudo_labels).all()
    measure_norms(measured, tiny_images())
    assert state_bytes(network) == state_bytes(measured)
    assert network.training
    assert history([("intra", done)]) == []
    assert summary([done]) == {
        "loss": None, "steps": 0, "num_clusters": 3 * NUM_PEOPLE, "outliers": 0.0
    }  # fmt: skip


def test_no_styles_are_measured_where_nothing_is_trained(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "measure_styles", lambda *_: asked.append("styles"))
    for epochs in (0, 1):
        intra_round(
            tiny_network(),
            tiny_images(),
            INTRA,
            SETTING,
            FIRST_INTRA,
            epochs,
            0.002,
            Progress(tiny_network()),
        )
        assert asked == ["styles"] * epochs
