from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from crosscam.data.augment import normalise
from crosscam.model.aibn import AIBN, MOMENTUM
from crosscam.model.moments import EPS
from crosscam.params import ParamsError
from crosscam.train import measure
from crosscam.train.measure import measure_norms, measure_styles
from crosscam.train.rounds import TrainingSet
from tests import oracles
from tests.tiny import CAMIDS, NUM_CAMERAS, WHOLE, tiny_images, tiny_network

NO_STYLES = replace(WHOLE, tnorm=False)
RESNET = replace(NO_STYLES, backbone="test_resnet", options={})


def images_of(num):
    pixels, camids = tiny_images()
    return TrainingSet(pixels[:num], camids[:num])


def batch_of(network, pixels):
    return normalise(pixels, network.mean, network.std)


def norms_of(network):
    return [m for m in network.backbone.modules() if isinstance(m, AIBN)]


def state_of(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


def passes_of(network):
    """Return a list to which each pass of the backbone adds its number of images."""
    passes = []
    network.backbone.register_forward_pre_hook(
        lambda _, inputs: passes.append(len(inputs[0]))
    )
    return passes


def kept_inputs(modules):
    """Return a list per module to which each pass adds what goes in."""
    kept = [[] for _ in modules]
    for module, inputs in zip(modules, kept, strict=True):
        module.register_forward_pre_hook(
            lambda _, passed, inputs=inputs: inputs.append(passed[0])
        )
    return kept


# Norms


@pytest.mark.parametrize(
    ("num_images", "size", "passes"),
    [(12, 4, [4, 4, 4]), (13, 4, [4, 4, 4, 1]), (3, 64, [3]), (1, 1, [1])],
)
def test_statistics_are_the_means_of_all_whole_batches(num_images, size, passes):
    network, images = tiny_network(NO_STYLES), images_of(num_images)
    norms = norms_of(network)
    kept = kept_inputs(norms)
    measure_norms(network, images, size)
    whole = [number for number in passes if number == passes[0]]
    for norm, inputs in zip(norms, kept, strict=True):
        assert [len(maps) for maps in inputs] == whole
        assert norm.num_batches_tracked.item() == len(whole)
        channel = 3
        moments = [
            oracles.batch_moments(
                maps.movedim(norm.channel_dim, 1).flatten(2).tolist(), channel
            )
            for maps in inputs
        ]
        mean, var = np.mean(moments, axis=0)
        assert norm.running_mean[channel].item() == pytest.approx(mean, abs=1e-5)
        assert norm.running_var[channel].item() == pytest.approx(var, rel=1e-4)


def test_batches_are_runs_of_rows_as_they_are():
    network, images = tiny_network(NO_STYLES), images_of(6)
    (kept,) = kept_inputs([network.backbone])
    measure_norms(network, images, 3)
    assert torch.equal(torch.cat(kept), batch_of(network, images.pixels))


def test_a_measured_network_is_in_evaluation_and_trains_as_published():
    network = tiny_network(NO_STYLES).train()
    weights = [parameter.clone() for parameter in network.parameters()]
    measure_norms(network, images_of(8), 4)
    assert not any(module.training for module in network.modules())
    assert {norm.momentum for norm in norms_of(network)} == {MOMENTUM}
    pairs = zip(network.parameters(), weights, strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    neck = network.neck.running_mean
    assert torch.equal(neck, torch.zeros_like(neck))


def test_measured_statistics_fit_the_features():
    # Unmeasured, those of a layer norm would be mean 0 and variance 1.
    network, images = tiny_network(replace(NO_STYLES, aibn_mix=1.0)), images_of(45)
    batch = batch_of(network, images.pixels)
    with torch.no_grad():
        trained = network.train().backbone(batch)
        apart = (network.eval().backbone(batch) - trained).norm()
    network = tiny_network(replace(NO_STYLES, aibn_mix=1.0))
    measure_norms(network, images, 45)
    with torch.no_grad():
        assert (network.backbone(batch) - trained).norm() < 0.2 * apart


def test_norms_are_measured_once():
    network, images = tiny_network(NO_STYLES), images_of(8)
    measure_norms(network, images, 4)
    before, passes = state_of(network), passes_of(network)
    measure_norms(network, images, 3)
    assert passes == []
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize(
    ("aibn", "key", "value"),
    [
        ("none", "num_batches_tracked", 0),
        ("deep", "num_batches_tracked", 7),
        ("deep", "running_mean", 0.1),  # as where the count was lost
        ("deep", "running_var", 0.9),
    ],
)
def test_trained_norms_are_not_measured(aibn, key, value):
    network = tiny_network(replace(RESNET, aibn=aibn))
    for name, statistics in network.state_dict().items():
        if name.endswith(key):
            statistics.fill_(value)
    before, passes = state_of(network), passes_of(network)
    measure_norms(network, images_of(8), 4)
    assert passes == []
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_untrained_batch_norms_are_measured():
    network = tiny_network(RESNET)
    plain = [
        m for m in network.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)
    ]
    measure_norms(network, images_of(8), 4)
    assert {norm.num_batches_tracked.item() for norm in norms_of(network)} == {2}
    # Those of the shallow stages stay as the backbone came.
    assert {norm.num_batches_tracked.item() for norm in plain} == {0}


# Styles


def on_lists(*modules):
    """Return a function from maps as lists to maps as lists, in float64."""

    def part(maps):
        values = torch.tensor(maps, dtype=torch.float64)
        width = int((values.shape[2] / 2) ** 0.5)  # images are twice as high as wide
        with torch.no_grad():
            passed = torch.nn.Sequential(*modules)(values.unflatten(2, (-1, width)))
        return passed.flatten(2).tolist()

    return part


@pytest.fixture(scope="module")
def literal():
    """Return all moments of the first images, literally: they go pair by pair."""
    network, images = tiny_network(WHOLE).eval(), images_of(9)
    batch = batch_of(network, images.pixels).flatten(2).double().tolist()
    stem, stages = network.double().backbone.stem, network.backbone.stages
    parts = [on_lists(stem, stages[0]), on_lists(stages[1]), on_lists(stages[2])]
    return oracles.style_moments(parts, batch, images.camids, NUM_CAMERAS, EPS)


@pytest.mark.parametrize("size", [1, 4, 64])
def test_styles_are_the_moments_of_all_images_of_a_camera(literal, size):
    network = tiny_network(WHOLE)
    measure_styles(network, images_of(9), size)
    assert not network.training
    for moments, own, arriving in zip(network.styles.moments(), *literal, strict=True):
        plain = torch.stack([moments.mean, moments.var], dim=2)
        arrived = torch.stack([moments.from_mean, moments.from_var], dim=3)
        for found, expected in ((plain, own), (arrived, arriving)):
            exact = torch.tensor(expected, dtype=torch.float64)
            assert torch.allclose(found.double(), exact, rtol=1e-4, atol=1e-5)


def test_re_styled_maps_have_the_moments_of_their_target():
    """At every layer, of every camera's images towards every other: what they are for.

    With the variance G of what arrives and V of the target it is G (V + eps) / (G +
    eps): here, where the least of either is 0.003, up to 4 · 10^-4 of V away from V.
    """
    network, images = tiny_network(WHOLE), tiny_images()
    measure_norms(network, images, 64)
    measure_styles(network, images, 16)
    kept = kept_inputs([network.backbone.stages[i] for i in (1, 2, 3)])
    sources = network.styles.positions(images.camids)
    with torch.no_grad(), network.styles.all_targets(sources):
        network(batch_of(network, images.pixels))
    for (maps,), moments in zip(kept, network.styles.moments(), strict=True):
        by_target = maps.double().unflatten(0, (NUM_CAMERAS, -1))
        for source in range(NUM_CAMERAS):
            own = by_target[:, images.camids == source].movedim(2, 1).flatten(2)
            assert torch.allclose(own.mean(2), moments.mean.double(), atol=1e-6)
            arrived, wanted = moments.from_var[source].double(), moments.var.double()
            var = own.var(2, correction=0)
            expected = arrived * (wanted + EPS) / (arrived + EPS)
            assert torch.allclose(var, expected, rtol=2e-6, atol=0)
            assert ((var - wanted).abs() <= 5e-4 * wanted).all()


def test_only_before_the_first_layer_images_arrive_as_they_are():
    network, images = tiny_network(WHOLE), tiny_images()
    measure_styles(network, images, 64)
    same = []
    for moments in network.styles.moments():
        measured = moments.from_mean.clone(), moments.from_var.clone()
        moments.arrive_as_they_are()
        published = moments.from_mean, moments.from_var
        pairs = zip(measured, published, strict=True)
        same.append([torch.allclose(*pair, rtol=0.05) for pair in pairs])
    assert same == [[True, True], [False, False], [False, False]]


@pytest.mark.parametrize(
    ("camids", "most", "rows"),
    [
        ([0, 0, 1, 0, 1, 0, 0, 0, 0, 0], 4, [0, 2, 3, 4, 6, 8]),  # 8 of camera 0
        ([1, 1, 1], 2, [0, 1]),
        ([1, 1, 1], 3, [0, 1, 2]),
        ([2, 1, 2, 1], 1, [0, 1]),
    ],
)
def test_a_camera_with_many_images_is_measured_on_some(monkeypatch, camids, most, rows):
    monkeypatch.setattr(measure, "PER_CAMERA", most)
    network, some = tiny_network(WHOLE), tiny_network(WHOLE)
    images = TrainingSet(images_of(len(camids)).pixels, np.array(camids))
    measure_styles(network, images, 4)
    monkeypatch.undo()
    measure_styles(some, TrainingSet(images.pixels[rows], images.camids[rows]), 4)
    expected = some.styles.state_dict()
    found = network.styles.state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_order_of_the_images_does_not_matter():
    network, again = tiny_network(WHOLE), tiny_network(WHOLE)
    pixels, camids = images_of(21)
    measure_styles(network, TrainingSet(pixels, camids), 8)
    order = np.random.default_rng(0).permutation(21)
    measure_styles(again, TrainingSet(pixels[order], camids[order]), 8)
    for one, other in zip(
        network.styles.buffers(), again.styles.buffers(), strict=True
    ):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_nothing_else_moves():
    network = tiny_network(WHOLE)
    before = state_of(network)
    measure_styles(network, images_of(9), 4)
    moved = {
        k for k, v in network.state_dict().items() if not torch.equal(v, before[k])
    }
    names = ("mean", "var", "from_mean", "from_var")
    assert moved == {f"styles.layers.{i}.{name}" for i in range(3) for name in names}


def test_a_camera_without_images_keeps_its_moments():
    network, (pixels, camids) = tiny_network(WHOLE), images_of(21)
    rows = np.flatnonzero(CAMIDS[:21] != 1)
    measure_styles(network, TrainingSet(pixels[rows], camids[rows]), 8)
    for moments in network.styles.moments():
        assert torch.equal(moments.mean[1], torch.zeros_like(moments.mean[1]))
        assert torch.equal(moments.var[1], torch.ones_like(moments.var[1]))
        assert not torch.equal(moments.var[0], torch.ones_like(moments.var[0]))
        assert torch.equal(moments.from_var[1], torch.ones_like(moments.from_var[1]))
        others = moments.from_var[[0, 2]]
        assert (others != 1).any(2).all()


def test_moments_of_before_do_not_count():
    network, again = tiny_network(WHOLE), tiny_network(WHOLE)
    for value in again.styles.buffers():
        value.uniform_(5, 9)
    for each in (network, again):
        measure_styles(each, images_of(9), 4)
    state = again.styles.state_dict()
    assert all(torch.equal(state[k], v) for k, v in network.styles.state_dict().items())


def test_a_pass_goes_as_far_as_it_has_to():
    network, images = tiny_network(WHOLE), images_of(7)
    counts = {}
    modules = [network.backbone.stem, *network.backbone.stages, network.neck]
    for i, module in enumerate(modules):
        module.register_forward_hook(
            lambda *passed, i=i: counts.setdefault(i, []).append(len(passed[-1]))
        )
    measure_styles(network, images, 6)
    # All as they are; then two at a time, in three styles each: as far as the second
    # stage, whose output is looked at before this hook, and as far as the third.
    whole, spread = [6, 1], [6, 6, 6, 3]
    twos = [2, 2, 2, 1]
    assert counts == {
        0: whole + twos + twos,
        1: whole + spread + spread,
        2: whole + spread,
        3: whole,
        4: whole,
        5: whole,
    }


def test_a_network_without_styles_is_not_measured():
    network = tiny_network(NO_STYLES).train()
    passes = passes_of(network)
    measure_styles(network, images_of(4), 4)
    assert passes == []


def test_a_camera_that_is_not_known():
    images = TrainingSet(images_of(4).pixels, np.array([0, 1, 9, 0]))
    with pytest.raises(ParamsError, match=r"styles of cameras \[10\] are not known"):
        measure_styles(tiny_network(WHOLE), images, 4)
