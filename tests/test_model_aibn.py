from __future__ import annotations

import copy

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import batch_norm, instance_norm

from crosscam.model.aibn import AIBN, MOMENTUM, replace_norms, taken_over
from crosscam.model.stages import norms_between, stage_ends
from tests import oracles

seeds = st.integers(0, 2**63 - 1)
STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}


def layer(size=1, mix=0.5, channel_dim=1, eps=0.0):
    return AIBN(size, nn.Parameter(torch.tensor(float(mix))), channel_dim, eps)


def random_layer(generator, size, mix, channel_dim=1):
    """Return a layer whose every channel has its own parameters and statistics."""
    norm = layer(size, mix, channel_dim, eps=1e-5)
    with torch.no_grad():
        for values in (norm.weight, norm.bias, norm.running_mean):
            values.copy_(torch.randn(size, generator=generator))
        norm.running_var.copy_(torch.rand(size, generator=generator) + 0.5)
    return norm


def random_maps(generator, *shape):
    return torch.randn(*shape, generator=generator) * 2 + 1


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def lists(maps):
    """Return maps as the oracles take them: [image][channel][position]."""
    return maps.flatten(2).tolist()


def running_of(norm):
    """Return mean and variance by channel in evaluation, None in training."""
    statistics = torch.stack([norm.running_mean, norm.running_var], dim=1)
    return None if norm.training else statistics.tolist()


def expected_of(norm, maps):
    affine = norm.weight.tolist(), norm.bias.tolist()
    values = oracles.aibn(
        lists(maps), norm.mix.item(), *affine, norm.eps, running_of(norm)
    )
    return torch.tensor(values).view(maps.shape)


# By hand

# Two images of two positions. Means 1 and 5, variances 2; of the batch the mean is 3
# and the variance 2 + 4. Half and half: means 2 and 4, variances (2 + 6) / 2.
TWO_IMAGES = torch.tensor([[[[0.0], [2.0]]], [[[4.0], [6.0]]]])


def test_two_images_by_hand():
    norm = layer()
    assert norm(TWO_IMAGES).flatten().tolist() == [-1, 0, 0, 1]
    assert norm.running_mean.item() == pytest.approx(0.9 * 0 + 0.1 * 3)
    assert norm.running_var.item() == pytest.approx(0.9 * 1 + 0.1 * 6)
    assert norm.num_batches_tracked.item() == 1


def test_scale_and_shift_by_hand():
    norm = layer()
    with torch.no_grad():
        norm.weight.fill_(3)
        norm.bias.fill_(10)
    assert norm(TWO_IMAGES).flatten().tolist() == [7, 10, 10, 13]


def test_evaluation_by_hand():
    # Mean (1 + 3) / 2 of the first image, (5 + 3) / 2 of the second; variance as above.
    norm = layer().eval()
    norm.running_mean.fill_(3)
    norm.running_var.fill_(6)
    before = copy.deepcopy(norm.state_dict())
    assert norm(TWO_IMAGES).flatten().tolist() == [-1, 0, 0, 1]
    # Alone or with others: the batch does not count.
    assert norm(TWO_IMAGES[1:]).flatten().tolist() == [0, 1]
    assert all(torch.equal(v, before[k]) for k, v in norm.state_dict().items())


# The definition


@pytest.mark.parametrize("training", [True, False])
@given(
    seed=seeds,
    mix=st.sampled_from([-0.5, 0.0, 0.1, 0.7, 1.0, 1.5]),
    shape=st.tuples(*[st.integers(1, 4)] * 4),
)
def test_agrees_with_the_definition(training, seed, mix, shape):
    generator = seeded(seed)
    norm = random_layer(generator, shape[1], mix).train(training)
    maps = random_maps(generator, *shape)
    expected = expected_of(norm, maps)
    assert torch.allclose(norm(maps), expected, rtol=1e-4, atol=1e-4)


@given(seed=seeds, mix=st.sampled_from([-0.5, 0.1, 0.8, 1.5]), training=st.booleans())
def test_gradients_are_those_of_the_definition(seed, mix, training):
    generator = seeded(seed)
    norm = random_layer(generator, 2, mix).train(training)
    maps = random_maps(generator, 2, 2, 2, 2).requires_grad_()
    pull = torch.randn(2, 2, 2, 2, generator=generator)
    inputs = [maps, norm.mix, norm.weight, norm.bias]
    exact = [i.detach().double().requires_grad_() for i in inputs]
    values = oracles.aibn(exact[0].flatten(2), *exact[1:], norm.eps, running_of(norm))
    total = sum(
        p * v
        for pulled, image in zip(lists(pull), values, strict=True)
        for row, channel in zip(pulled, image, strict=True)
        for p, v in zip(row, channel, strict=True)
    )
    expected = torch.autograd.grad(total, exact, allow_unused=True)
    found = torch.autograd.grad((norm(maps) * pull).sum(), inputs)
    for value, other in zip(found, expected, strict=True):
        # Where the mix is outside [0, 1], the definition has a constant in its place.
        other = torch.zeros(()) if other is None else other.float()  # noqa: PLW2901
        assert torch.allclose(value, other, rtol=1e-4, atol=1e-4)
    assert (found[1] == 0) == (not 0 <= mix <= 1)


@pytest.mark.parametrize(("outside", "bound"), [(-3.0, 0.0), (7.0, 1.0)])
def test_the_mix_is_held_within_zero_and_one(outside, bound):
    maps = random_maps(seeded(), 3, 2, 4, 2)
    assert torch.equal(layer(2, outside)(maps), layer(2, bound)(maps))


@given(seed=seeds, mix=st.floats(0, 1), training=st.booleans())
def test_both_layouts_agree(seed, mix, training):
    generator = seeded(seed)
    maps = random_maps(generator, 3, 4, 2, 5)
    norm = random_layer(generator, 4, mix).train(training)
    last = layer(4, mix, channel_dim=3, eps=1e-5).train(training)
    last.load_state_dict(norm.state_dict())
    turned = last(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    strided = copy.deepcopy(norm)(maps.to(memory_format=torch.channels_last))
    normed = norm(maps)
    assert torch.allclose(turned, normed, atol=1e-5)
    assert torch.allclose(strided, normed, atol=1e-5)
    for key, value in norm.state_dict().items():
        assert torch.allclose(last.state_dict()[key], value, atol=1e-6), key


def test_maps_have_four_dimensions():
    with pytest.raises(ValueError, match="maps of four dimensions, got 3"):
        layer()(torch.zeros(2, 1, 4))


# Its relatives


def test_without_batch_statistics_it_is_instance_norm_but_for_the_divisor():
    # Variances over P - 1 positions instead of P.
    maps, positions = random_maps(seeded(), 3, 2, 4, 2), 8
    scaled = layer(2, mix=0.0)(maps) * (positions / (positions - 1)) ** 0.5
    assert torch.allclose(scaled, instance_norm(maps, eps=1e-12), atol=1e-5)


def test_with_them_alone_it_is_batch_norm_but_for_the_instances_divisor():
    # Batch norm's variance over N · P values is mean(v_I) (P - 1) / P + var(m_I): ours
    # is larger by mean(v_I) / P.
    maps, positions = random_maps(seeded(), 3, 2, 4, 2), 8
    norm = layer(2, mix=1.0)
    normed = norm(maps)
    wide = maps.var((0, 2, 3), correction=0)
    own = maps.var((2, 3)).mean(0)
    factor = (wide / (wide + own / positions)).sqrt().view(1, 2, 1, 1)
    plain = batch_norm(maps, None, None, training=True, eps=1e-12)
    assert torch.allclose(normed, plain * factor, atol=1e-5)
    ours = 0.9 + MOMENTUM * (wide + own / positions)
    assert torch.allclose(norm.running_var, ours)


def test_in_evaluation_batch_statistics_alone_are_batch_norm():
    norm = random_layer(seeded(), 3, mix=1.0).eval()
    maps = random_maps(seeded(1), 2, 3, 4, 2)
    statistics = norm.running_mean, norm.running_var
    plain = batch_norm(maps, *statistics, norm.weight, norm.bias, eps=norm.eps)
    assert torch.allclose(norm(maps), plain, atol=1e-5)


# Edges


@given(seed=seeds, mix=st.sampled_from([0.0, 0.1, 1.0]))
def test_means_much_larger_than_deviations(seed, mix):
    # mean(v + m²) - mean(m)² in float32 would be off by some 10 here.
    maps = (torch.randn(4, 2, 8, 4, generator=seeded(seed)) + 1e4).requires_grad_()
    norm = layer(2, mix, eps=1e-5)
    normed = norm(maps)
    assert torch.allclose(normed, expected_of(layer(2, mix, eps=1e-5), maps), atol=0.02)
    assert ((norm.running_var - 0.9) / MOMENTUM > 0.5).all()
    normed.square().sum().backward()
    assert torch.isfinite(maps.grad).all()


@pytest.mark.parametrize("channel_dim", [1, 3])
@pytest.mark.parametrize("mix", [0.0, 0.5, 1.0])
def test_variance_is_never_negative(channel_dim, mix):
    maps = torch.full((5, 3, 3, 3), 12345.678)
    norm = layer(3, mix, channel_dim)
    assert not torch.isnan(layer(3, mix, channel_dim, eps=1e-5)(maps)).any()
    norm.momentum = 1.0
    norm(maps)
    assert (norm.running_var >= 0).all()


def test_one_position_has_no_variance():
    # m_I = 1, 3, v_I = 0; of the batch mean 2 and variance 1. A quarter of it: means
    # 1.25 and 2.75, variance 0.25.
    norm = layer(mix=0.25)
    maps = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    assert norm(maps).flatten().tolist() == [-0.5, 0.5]
    assert norm.running_var.item() == pytest.approx(0.9 + 0.1)


def test_one_image_is_its_own_batch():
    maps = torch.tensor([0.0, 2.0]).view(1, 1, 2, 1)
    results = [layer(mix=mix)(maps).flatten() for mix in (0.0, 0.3, 1.0)]
    for result in results:
        assert result.tolist() == pytest.approx([-(0.5**0.5), 0.5**0.5])


def test_one_image_of_one_position_is_the_shift():
    norm = layer(eps=1e-5)
    assert norm(torch.full((1, 1, 1, 1), 9.0)).item() == 0


def test_half_precision_has_statistics_of_full_precision():
    maps = random_maps(seeded(), 4, 2, 8, 4).to(torch.bfloat16)
    norm, exact = layer(2), layer(2)
    normed, expected = norm(maps), exact(maps.float())
    assert normed.dtype == torch.bfloat16
    assert torch.equal(normed, expected.to(torch.bfloat16))
    assert norm.running_mean.dtype == torch.float32
    assert torch.equal(norm.running_var, exact.running_var)


# Running statistics


def test_running_statistics_after_some_batches():
    norm = layer(2)
    batches = [random_maps(seeded(i), 3, 2, 2, 2) for i in range(4)]
    mean, var = torch.zeros(2), torch.ones(2)
    for batch in batches:
        norm(batch)
        moments = [oracles.batch_moments(lists(batch), c) for c in range(2)]
        batch_mean, batch_var = torch.tensor(moments).T
        mean = 0.9 * mean + 0.1 * batch_mean
        var = 0.9 * var + 0.1 * batch_var
    assert torch.allclose(norm.running_mean, mean)
    assert torch.allclose(norm.running_var, var)
    assert norm.num_batches_tracked.item() == 4


def test_without_momentum_all_batches_count_alike():
    norm = layer(2)
    norm.momentum = None
    batches = [random_maps(seeded(i), 3, 2, 2, 2) for i in range(3)]
    moments = []
    for batch in batches:
        norm(batch)
        moments.append([oracles.batch_moments(lists(batch), c) for c in range(2)])
    mean, var = torch.tensor(moments).mean(0).T
    assert torch.allclose(norm.running_mean, mean)
    assert torch.allclose(norm.running_var, var)


def test_a_momentum_of_zero_leaves_them():
    # It is not the None that lets all batches count alike.
    norm = layer()
    norm.momentum = 0.0
    norm(TWO_IMAGES)
    assert (norm.running_mean.item(), norm.running_var.item()) == (0, 1)


# In the place of other norms


def replaced(name, *, deep=False, mix=0.1, seed=0, **options):
    """Return a timm model whose every norm has its own numbers, and one with AIBN."""
    torch.manual_seed(seed)
    model = timm.create_model(name, num_classes=0, **options).eval()
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if key.endswith("weight") and value.ndim == 1:
                value.uniform_(0.5, 1.5)  # ResNet's last norm of a block starts at 0
            elif key.endswith("running_mean"):
                value.normal_(std=0.1)
            elif key.endswith("running_var"):
                value.uniform_(0.5, 2)
            elif key.endswith("num_batches_tracked"):
                value.fill_(3)
    ends = stage_ends(model, name)
    changed = copy.deepcopy(model)
    blocks = norms_between(changed, ends[1] if deep else None, ends[-1])
    replace_norms(changed, blocks, mix)
    return model, changed, blocks


def test_resnet_50_has_29_deep_norms_and_9_mixes():
    with torch.device("meta"):
        _, model, blocks = replaced("resnet50", deep=True)
    norms = {k: m for k, m in model.named_modules() if isinstance(m, AIBN)}
    assert set(norms) == set(blocks)
    assert len(norms) == 29
    assert all(name.startswith(("layer3.", "layer4.")) for name in norms)
    mixes = {id(norm.mix): blocks[name] for name, norm in norms.items()}
    assert sorted(mixes.values()) == [
        *(f"layer3.{i}" for i in range(6)),
        *(f"layer4.{i}" for i in range(3)),
    ]
    assert blocks["layer4.0.downsample.1"] == "layer4.0"
    trained = [name for name, _ in model.named_parameters() if name.endswith(".mix")]
    assert len(trained) == 9


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("test_resnet", {"mix"}),
        ("test_efficientnet", {"mix"}),  # batch norm with activation
        ("test_convnext", {"mix", *STATISTICS}),
        ("convnext_zepto_rms", {"mix", "bias", *STATISTICS}),
    ],
)
def test_names_and_values_of_the_parameters_stay(name, added):
    model, changed, blocks = replaced(name, mix=0.3)
    before, after = model.state_dict(), changed.state_dict()
    new = {f"{norm}.{key}" for norm in blocks for key in added}
    assert after.keys() - before.keys() == new
    assert before.keys() <= after.keys()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    for norm, block in blocks.items():
        module = changed.get_submodule(norm)
        assert module.added == added
        assert module.mix.item() == pytest.approx(0.3)
        assert module.eps == 1e-5
        same = [other for other in blocks if blocks[other] == block]
        assert all(changed.get_submodule(n).mix is module.mix for n in same)
    assert len({id(changed.get_submodule(n).mix) for n in blocks}) == len(
        set(blocks.values())
    )


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "resnetv2_18"])
def test_with_batch_statistics_alone_the_model_is_what_it_was(name):
    """In evaluation: affine parameters, statistics, eps and activations are kept."""
    model, changed, blocks = replaced(name, mix=1.0)
    assert blocks
    images = torch.randn(2, 3, 64, 32, generator=seeded())
    with torch.no_grad():
        assert torch.allclose(changed(images), model(images), rtol=1e-3, atol=1e-4)
        other = replaced(name, mix=0.5)[1]
        assert not torch.allclose(other(images), model(images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("test_convnext", {1, 3}),  # downsampling, blocks
        ("convnext_zepto_rms", {1}),
        ("test_efficientnet_ln", {1}),  # layer norm with activation
        ("test_resnet", {1}),
    ],
)
def test_layouts_are_those_of_the_norms(name, kinds):
    _, changed, blocks = replaced(name)
    assert {changed.get_submodule(norm).channel_dim for norm in blocks} == kinds
    images = torch.randn(2, 3, 64, 48, generator=seeded())
    for model in (changed.eval(), changed.train()):
        assert torch.isfinite(model(images)).all()


@pytest.mark.parametrize(
    ("norm", "eps"),
    [
        (nn.BatchNorm2d(2, eps=1e-3), 1e-3),
        (timm.layers.BatchNormAct2d(2, eps=1e-3), 1e-3),
        # Theirs goes with a variance over channels.
        (nn.LayerNorm(2, eps=1e-3), 1e-5),
        (timm.layers.LayerNorm2d(2, eps=1e-6), 1e-5),
        (timm.layers.RmsNorm2d(2, eps=1e-6), 1e-5),
    ],
)
def test_eps_is_that_of_a_batch_norm_or_the_usual_one(norm, eps):
    assert taken_over(norm, nn.Parameter(torch.tensor(0.1))).eps == eps


def test_the_activation_stays():
    norm = timm.layers.BatchNormAct2d(2, act_layer=nn.ReLU6)
    assert norm(100 * TWO_IMAGES.expand(2, 2, 2, 1)).min() == 0
    taken = taken_over(norm, nn.Parameter(torch.tensor(0.5)))
    with torch.no_grad():
        taken.weight.fill_(100)
        normed = taken(TWO_IMAGES.expand(2, 2, 2, 1))
    assert normed[:, 0].flatten().tolist() == [0, 0, 0, 6]


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_norm_stays(training):
    norm = nn.BatchNorm2d(2).train(training)
    taken = taken_over(norm, nn.Parameter(torch.tensor(0.1)))
    assert taken.training == training


def test_a_copy_shares_among_itself_alone():
    _, changed, blocks = replaced("test_resnet")
    other = copy.deepcopy(changed)
    mixes = [{id(m.get_submodule(n).mix) for n in blocks} for m in (changed, other)]
    assert len(mixes[0]) == len(mixes[1]) == len(set(blocks.values()))
    assert not mixes[0] & mixes[1]


def test_a_mix_learns_from_all_norms_of_its_block():
    _, changed, _ = replaced("test_resnet")
    block = changed.layer3[0]
    norms = [m for m in block.modules() if isinstance(m, AIBN)]
    maps = random_maps(seeded(), 2, 48, 4, 2)
    shared = block.train()(maps).square().mean()
    (whole,) = torch.autograd.grad(shared, norms[0].mix)
    for norm in norms:
        norm.mix = nn.Parameter(norm.mix.detach().clone())
    apart = block(maps).square().mean()
    parts = torch.autograd.grad(apart, [norm.mix for norm in norms])
    assert len(parts) >= 2
    assert whole.item() == pytest.approx(sum(parts).item(), rel=1e-4)
    assert all(part != 0 for part in parts)
