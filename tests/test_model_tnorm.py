from __future__ import annotations

import copy
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crosscam.model.moments import EPS, STAYS, Moments, Style
from crosscam.model.tnorm import CameraStyles
from crosscam.params import ParamsError
from tests import oracles

seeds = st.integers(0, 2**63 - 1)
CAMIDS = (1, 4, 6)


def style(sources, targets):
    stays = [STAYS if target is None else target for target in targets]
    return Style(torch.tensor(sources), torch.tensor(stays))


def moments_of(*cameras):
    """Return moments from (mean, var) of one channel, by camera."""
    moments = Moments(len(cameras), 1)
    for camera, (mean, var) in enumerate(cameras):
        moments.mean[camera], moments.var[camera] = mean, var
    moments.arrive_as_they_are()
    return moments


def maps_of(*images):
    """Return maps of one channel and one row."""
    return torch.tensor(images, dtype=torch.float32)[:, None, None]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def lists(maps):
    return maps.flatten(2).tolist()


def by_camera(moments):
    return torch.stack([moments.mean, moments.var], dim=2).tolist()


def by_pair(moments):
    return torch.stack([moments.from_mean, moments.from_var], dim=3).tolist()


def draw(moments, generator):
    """Give every moment a value of its own."""
    for mean, var in ("mean", "var"), ("from_mean", "from_var"):
        getattr(moments, mean).normal_(generator=generator)
        getattr(moments, var).uniform_(0.1, 4, generator=generator)


def random_case(seed, num_images, num_cameras=3):
    """Return moments, maps, sources and targets, None among them."""
    generator = seeded(seed)
    moments = Moments(num_cameras, 2)
    draw(moments, generator)
    maps = torch.randn(num_images, 2, 3, 2, generator=generator) * 2 + 1
    rng = np.random.default_rng(seed)
    sources = rng.integers(num_cameras, size=num_images).tolist()
    targets = rng.integers(-1, num_cameras, num_images).tolist()
    return moments, maps, sources, [None if t < 0 else t for t in targets]


# Re-styling


def test_restyling_by_hand():
    # From mean 1 and deviation 2 to mean 10 and deviation 6: (x - 1) · 3 + 10.
    moments = moments_of((1.0, 4.0), (10.0, 36.0))
    maps = maps_of([1.0, 3.0], [-1.0, 5.0], [10.0, 16.0])
    result = moments.restyled(maps, style([0, 0, 1], [1, None, 0]))
    # The other way: (x - 10) / 3 + 1.
    expected = [10.0, 16.0, -1.0, 5.0, 1.0, 3.0]
    assert result.flatten().tolist() == pytest.approx(expected, abs=1e-4)


def test_what_arrives_is_taken_out_by_hand():
    # Camera 0's images come to the target with mean 3 and deviation 4, whatever those
    # of camera 0 are: (x - 3) · 6 / 4 + 10.
    moments = moments_of((1.0, 4.0), (10.0, 36.0))
    moments.from_mean[0, 1], moments.from_var[0, 1] = 3.0, 16.0
    result = moments.restyled(maps_of([3.0, 7.0]), style([0], [1]))
    assert result.flatten().tolist() == pytest.approx([10, 16], abs=1e-4)


@given(seed=seeds, num_images=st.integers(1, 5))
def test_restyling_agrees_with_the_definition(seed, num_images):
    moments, maps, sources, targets = random_case(seed, num_images)
    result = moments.restyled(maps, style(sources, targets))
    expected = oracles.restyled(
        lists(maps), sources, targets, by_camera(moments), by_pair(moments), EPS
    )
    assert torch.allclose(result.flatten(2), torch.tensor(expected), atol=1e-4)
    assert result.shape == maps.shape


@given(seed=seeds, num_images=st.integers(1, 5))
def test_as_they_are_it_is_the_published_formula(seed, num_images):
    moments, maps, sources, targets = random_case(seed, num_images)
    moments.arrive_as_they_are()
    own = by_camera(moments)
    assert by_pair(moments) == oracles.published_arriving(own)
    result = moments.restyled(maps, style(sources, targets))
    arriving = oracles.published_arriving(own)
    expected = oracles.restyled(lists(maps), sources, targets, own, arriving, EPS)
    assert torch.allclose(result.flatten(2), torch.tensor(expected), atol=1e-4)


@given(seed=seeds)
def test_the_own_camera_as_target_gives_the_image_back(seed):
    moments, maps, sources, _ = random_case(seed, 4)
    moments.arrive_as_they_are()
    result = moments.restyled(maps, style(sources, sources))
    assert torch.allclose(result, maps, rtol=0, atol=2e-6)


@given(seed=seeds)
def test_images_that_stay_are_returned_exactly(seed):
    moments, maps, sources, targets = random_case(seed, 6)
    result = moments.restyled(maps, style(sources, targets))
    for i, target in enumerate(targets):
        assert torch.equal(result[i], maps[i]) == (target is None)


def test_there_and_back():
    moments, maps, _, _ = random_case(3, 4)
    moments.arrive_as_they_are()
    there = moments.restyled(maps, style([0] * 4, [2] * 4))
    back = moments.restyled(there, style([2] * 4, [0] * 4))
    assert torch.allclose(back, maps, atol=1e-5)
    assert not torch.allclose(there, maps, atol=0.1)


def test_a_camera_without_variance_gives_finite_maps():
    moments = moments_of((5.0, 0.0), (1.0, 4.0))
    result = moments.restyled(maps_of([5.0, 5.0]), style([0], [1]))
    assert result.flatten().tolist() == [1, 1]


def test_the_layout_in_memory_does_not_matter():
    moments, maps, sources, targets = random_case(5, 4)
    turned = maps.to(memory_format=torch.channels_last)
    asked = style(sources, targets)
    assert torch.equal(moments.restyled(turned, asked), moments.restyled(maps, asked))


def test_gradient_is_the_scale():
    moments = moments_of((1.0, 4.0), (10.0, 36.0))
    maps = maps_of([1.0, 3.0], [1.0, 3.0]).requires_grad_()
    moments.restyled(maps, style([0, 0], [1, None])).sum().backward()
    assert maps.grad.flatten().tolist() == pytest.approx([3, 3, 1, 1], rel=1e-4)
    assert not list(moments.parameters())


# In a network


class Bent(nn.Module):
    """Scale what is positive by a number, and keep what passes."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        self.outputs = []

    def forward(self, maps):
        self.outputs.append(self.factor * maps.where(maps < 0, 2 * maps))
        return self.outputs[-1]

    @property
    def rows(self):
        return [len(maps) for maps in self.outputs]


def chain(seed=0):
    """Return stem, three stages and a last layer, and the styles after the stages."""
    model = nn.Sequential(*(Bent(factor) for factor in (2.0, -1.0, 3.0, -0.5, 1.5)))
    styles = CameraStyles([2, 2, 2], CAMIDS)
    styles.attach(model[1:4])
    generator = seeded(seed)
    for moments in styles.moments():
        draw(moments, generator)
    return model, styles


def random_maps(seed=0, num=3):
    return torch.randn(num, 2, 2, 3, generator=seeded(seed))


def test_positions_of_cameras():
    _, styles = chain()
    assert styles.positions(np.array([6, 1, 4, 1])).tolist() == [2, 0, 1, 0]
    assert styles.positions(np.empty(0, np.int64)).tolist() == []


def test_a_camera_that_is_not_known():
    _, styles = chain()
    with pytest.raises(
        ParamsError,
        match=r"styles of cameras \[1, 4\] are not known, .* known are \[2, 5, 7\]: "
        r"set extract\.restyle to false",
    ):
        styles.positions(np.array([3, 1, 0]))


def test_without_styles_asked_for_nothing_happens():
    model, styles = chain()
    before = copy.deepcopy(styles.state_dict())
    maps = random_maps()
    expected = maps
    for module in model:
        expected = Bent(module.factor)(expected)
    assert torch.equal(model.train()(maps), expected)
    assert all(torch.equal(v, before[k]) for k, v in styles.state_dict().items())


def test_each_layer_has_its_own_moments():
    model, styles = chain()
    maps, asked = random_maps(), style([0, 1, 2], [1, None, 2])
    with styles.applied(asked):
        result = model(maps)
    expected = model[0](maps)
    for stage, moments in zip(model[1:4], styles.moments(), strict=True):
        expected = moments.restyled(stage.forward(expected), asked)
    assert torch.equal(result, model[4](expected))
    assert torch.equal(model(maps)[1], result[1])  # the one that stays


def test_moments_follow_no_batch():
    model, styles = chain()
    before = copy.deepcopy(styles.state_dict())
    with styles.train().applied(style([0, 0, 2], [None, 1, 2])):
        model.train()(random_maps())
    assert all(torch.equal(v, before[k]) for k, v in styles.state_dict().items())


@given(seed=seeds, num_images=st.integers(1, 4))
def test_all_targets_are_one_pass_per_target(seed, num_images):
    model, styles = chain(seed)
    maps = random_maps(seed, num_images)
    rng = np.random.default_rng(seed)
    sources = torch.from_numpy(rng.integers(len(CAMIDS), size=num_images))
    with styles.all_targets(sources):
        together = model(maps)
    apart = []
    for target in range(len(CAMIDS)):
        with styles.applied(Style(sources, torch.full_like(sources, target))):
            apart.append(model(maps))
    assert torch.equal(together, torch.cat(apart))


def test_what_comes_first_is_computed_once_per_image():
    model, styles = chain()
    with styles.all_targets(torch.tensor([0, 2])):
        model(random_maps(num=2))
    assert [module.rows for module in model] == [[2], [2], [6], [6], [6]]


def test_a_copy_has_styles_of_its_own():
    network = nn.ModuleDict()
    network["model"], network["styles"] = chain()
    other = copy.deepcopy(network)
    maps, asked = random_maps(num=2), style([0, 1], [2, 2])
    plain = network["model"](maps)
    with network["styles"].applied(asked):
        styled = network["model"](maps)
        assert torch.equal(other["model"](maps), plain)
    with other["styles"].applied(asked):
        assert torch.equal(other["model"](maps), styled)
        assert torch.equal(network["model"](maps), plain)
    for moments in other["styles"].moments():
        moments.mean.fill_(0)
    with network["styles"].applied(asked):
        assert torch.equal(network["model"](maps), styled)


# Measured moments

SOURCES = torch.tensor([2, 0, 0, 2, 0, 2, 0])  # no image of camera 1


def batches(size):
    return [slice(start, start + size) for start in range(0, len(SOURCES), size)]


def measured(model, styles, maps, size):
    sums = styles.empty_sums()
    for rows in batches(size):
        with styles.summed(SOURCES[rows], sums):
            passed = model(maps[rows])
        assert torch.equal(passed, model(maps[rows]))
    for total in sums:
        total.store()


def moments_are(found, maps):
    """Check (mean, var) by channel against those of camera s's images, by s."""
    for camera in (0, 2):
        expected = oracles.all_camera_moments(lists(maps), SOURCES.tolist(), camera)
        for one, other in zip(found[camera], expected, strict=True):
            assert one == pytest.approx(other, rel=1e-5, abs=1e-5)


@given(seed=seeds, size=st.integers(1, 8))
def test_measured_moments_are_those_of_all_images(seed, size):
    model, styles = chain()
    before = copy.deepcopy(styles)
    maps = random_maps(seed, 7) * 3 + 5
    measured(model, styles, maps, size)
    model(maps)
    for stage, moments, old in zip(
        model[1:4], styles.moments(), before.moments(), strict=True
    ):
        moments_are(by_camera(moments), stage.outputs[-1].double())
        # A camera without images keeps its moments, and what arrives is as it was.
        assert by_camera(moments)[1] == by_camera(old)[1]
        assert by_pair(moments) == by_pair(old)


def test_measured_variance_where_means_are_large():
    model, styles = chain()
    maps = random_maps(num=7) + 1e4
    measured(model, styles, maps, 2)
    exact = -8 * maps[SOURCES == 0].double()
    exact = exact.transpose(0, 1).flatten(1).var(1, correction=0)
    assert torch.allclose(styles.moments()[0].var[0].double(), exact, rtol=0.01)
    maps[:] = 1e4
    measured(model, styles, maps, 2)
    assert styles.moments()[0].var[0].tolist() == [0, 0]


@pytest.mark.parametrize("number", [1, 2])
@given(seed=seeds, size=st.integers(1, 8))
def test_what_arrives_at_a_layer(number, seed, size):
    model, styles = chain(seed)
    before = copy.deepcopy(styles.moments())
    maps, moments = random_maps(seed, 7) * 3 + 1, styles.moments()[number]
    sums = moments.arriving_sums()
    for rows in batches(size):
        with styles.arriving(SOURCES[rows], number, sums):
            model(maps[rows])
    sums.store()
    found, old = by_pair(moments), by_pair(before[number])
    for target in range(len(CAMIDS)):
        with styles.applied(Style(SOURCES, torch.full_like(SOURCES, target))):
            model(maps)
        arrived = model[1 + number].outputs[-1].double()
        moments_are([of_source[target] for of_source in found], arrived)
    assert found[1] == old[1]
    # Nothing else is set.
    assert by_camera(moments) == by_camera(before[number])
    for layer in {0, 1, 2} - {number}:
        assert by_pair(styles.moments()[layer]) == by_pair(before[layer])


# A pass that ends early


@pytest.mark.parametrize(
    ("number", "rows"),
    [(1, [[2], [2], [6], [], []]), (2, [[2], [2], [6], [6], []])],
)
def test_the_pass_ends_at_the_layer(number, rows):
    model, styles = chain()
    passed = []
    model[number + 1].register_forward_hook(lambda *_: passed.append(number))
    sums = styles.moments()[number].arriving_sums()
    with styles.arriving(torch.tensor([0, 2]), number, sums):
        model(random_maps(num=2))
        passed.append("after")
    assert [module.rows for module in model] == rows
    # Neither a hook behind the styles' nor what follows the pass.
    assert passed == []


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_styles_are_of_use_after_a_pass_that_ends_early(error):
    model, styles = chain()
    maps, sources = random_maps(num=2), torch.tensor([0, 2])
    plain = model(maps)
    with styles.all_targets(sources):
        styled = model(maps)

    def fail(*_):
        raise error("stop")

    if error:
        hook = model[2].register_forward_pre_hook(fail)
    with pytest.raises(error, match="stop") if error else nullcontext():  # noqa: SIM117
        with styles.arriving(sources, 1, styles.moments()[1].arriving_sums()):
            model(maps)
    if error:
        hook.remove()
    assert torch.equal(model(maps), plain)
    with styles.all_targets(sources):
        assert torch.equal(model(maps), styled)


def test_an_error_leaves_no_style_behind():
    model, styles = chain()
    maps = random_maps(num=2)
    plain = model(maps)
    for context in (
        styles.applied(style([0, 1], [1, 0])),
        styles.all_targets(torch.tensor([0, 1])),
        styles.summed(torch.tensor([0, 1]), styles.empty_sums()),
    ):
        with pytest.raises(RuntimeError, match="stop"), context:
            raise RuntimeError("stop")
        assert torch.equal(model(maps), plain)
