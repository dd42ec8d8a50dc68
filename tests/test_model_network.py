from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from torch import nn

from crosscam.model.aibn import AIBN
from crosscam.model.network import (
    Architecture,
    Network,
    ShiftlessNorm,
    _num_channels,
    timm_options,
)
from crosscam.model.pooling import GeneralisedMean
from crosscam.params import ParamsError

ONE_VECTOR = "must give one vector per image, got "
SAME = {"pad_type": "same"}
TINY = Architecture("test_convnext", {}, (64, 32), 2, "gap", "none")


def built(architecture, seed=0):
    torch.manual_seed(seed)
    return Network(architecture).eval()


def images_of(architecture, num=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(num, 3, *architecture.image_size, generator=generator)


@pytest.mark.parametrize(
    ("backbone", "options", "feature_size", "last_map"),
    [
        ("convnext_zepto_rms", {}, 256, (3, 1)),
        ("resnet18", {}, 512, (4, 2)),
        ("mobilenetv2_035", SAME, 1280, (4, 2)),
        ("mobilenetv2_050", SAME, 1280, (4, 2)),
    ],
)
def test_backbones(backbone, options, feature_size, last_map):
    architecture = Architecture(backbone, options, (64, 32), 2, "gap", "none")
    images = images_of(architecture)
    network = built(architecture)
    with torch.no_grad():
        assert network(images).shape == (2, feature_size)
        assert network.backbone.forward_features(images).shape[2:] == (2, 1)
    assert network.feature_size == feature_size
    wide = built(replace(architecture, last_stride=1, pooling="gem"))
    with torch.no_grad():
        assert wide(images).shape == (2, feature_size)
        assert wide.backbone.forward_features(images).shape[2:] == last_map


def test_a_transformer():
    architecture = Architecture("test_vit", {}, (64, 32), 2, "gap", "feature")
    network = built(architecture)
    assert network(images_of(architecture)).shape == (2, network.feature_size)
    assert network.backbone.pos_embed.shape[1] == 4 * 2 + 1
    assert timm_options(architecture) == {"img_size": (64, 32)}
    with pytest.raises(ParamsError, match=r"model\.last_stride: test_vit has no last"):
        Network(replace(architecture, last_stride=1))
    with pytest.raises(ParamsError, match=r"model\.pooling: test_vit has no single"):
        Network(replace(architecture, pooling="gem"))


def test_is_a_timm_model_without_its_classifier():
    network, images = built(TINY), images_of(TINY)
    model = timm.create_model("test_convnext", num_classes=0).eval()
    model.load_state_dict(network.backbone.state_dict())
    with torch.no_grad():
        assert torch.allclose(network(images), model(images), atol=1e-6)
    assert network.mean == model.pretrained_cfg["mean"]
    assert network.std == model.pretrained_cfg["std"]


def test_options_reach_timm():
    half = built(replace(TINY, backbone="resnet10t", options={"channels": (8,) * 4}))
    assert half.feature_size == 8
    options = {"ls_init_value": 0.25, "drop_path_rate": 0.5}
    network = built(replace(TINY, options=options))
    scales = [p for name, p in network.named_parameters() if name.endswith(".gamma")]
    assert scales
    assert all((scale == 0.25).all() for scale in scales)


def test_gem_of_power_one_is_the_average():
    # ResNet ends in a ReLU: all activations count.
    average = built(Architecture("resnet18", {}, (64, 32), 2, "gap", "none"))
    general = built(Architecture("resnet18", {}, (64, 32), 2, "gem", "none"))
    pooling = general.backbone.global_pool
    assert isinstance(pooling, GeneralisedMean)
    images = images_of(TINY)
    with torch.no_grad():
        cubic = general(images)
        pooling.power.fill_(1.0)
        assert torch.allclose(general(images), average(images), atol=1e-5)
    assert (cubic >= average(images) - 1e-5).all()


def test_a_neck_in_the_network_is_its_last_layer():
    images = images_of(TINY, num=4)
    plain = built(TINY)
    for neck in ("none", "head"):
        assert torch.equal(built(replace(TINY, neck=neck))(images), plain(images))
    network = built(replace(TINY, neck="feature"))
    assert isinstance(network.neck, ShiftlessNorm)
    normed = network.train()(images)
    assert torch.allclose(normed.mean(0), torch.zeros(64), atol=1e-5)
    assert torch.allclose(normed.var(0, correction=0), torch.ones(64), atol=1e-2)


def test_weights_come_from_the_global_generator():
    one, same, other = built(TINY, 1), built(TINY, 1), built(TINY, 2)
    images = images_of(TINY)
    assert torch.equal(one(images), same(images))
    assert not torch.equal(one(images), other(images))


def test_layout_of_the_input_does_not_matter():
    network, images = built(TINY), images_of(TINY)
    turned = images.to(memory_format=torch.channels_last)
    assert torch.equal(network(images), network(turned))
    weights = [p for p in network.parameters() if p.dim() == 4]
    assert weights
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)


def test_a_new_network_is_in_training_mode():
    assert all(module.training for module in Network(TINY).modules())


def test_unknown_backbones():
    with pytest.raises(
        ValueError, match=r"no such model, got 'convnext_zeptoo'.*convnext_zepto_rms"
    ):
        replace(TINY, backbone="convnext_zeptoo")
    with pytest.raises(ValueError, match=r"got 'qqq': some it has are \['"):
        replace(TINY, backbone="qqq")


@pytest.mark.parametrize("name", ["checkpoint_path", "pretrained", "pretrained_cfg"])
def test_options_load_no_weights(name):
    with pytest.raises(ValueError, match=rf"must not load weights, got \['{name}'\]"):
        replace(TINY, options={name: "evil.pth"})


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"options": {"bogus": 1}}, "TypeError: .*unexpected keyword argument 'bogus'"),
        ({"options": {"ls_init_value": "x"}}, "TypeError"),
        ({"backbone": "resnet18", "options": {"output_stride": 7}}, "AssertionError"),
        ({"backbone": "resnet18.nobody"}, "RuntimeError: Invalid pretrained tag"),
        ({"image_size": (8, 8)}, "RuntimeError"),
        ({"options": {"features_only": True}}, ONE_VECTOR + r"a list\b"),
        ({"options": {"global_pool": ""}}, ONE_VECTOR + r"shape \(1, 64, 2, 1\)"),
        (
            {"backbone": "test_vit", "options": {"global_pool": ""}},
            ONE_VECTOR + r"shape \(1, 9, 64\)",
        ),
    ],
)
def test_what_timm_cannot_build(changed, fault):
    architecture = replace(TINY, **changed)
    with pytest.raises(
        ParamsError, match=rf"^model: {architecture.backbone} .*{fault}"
    ):
        Network(architecture)


# Adaptive instance and batch norms, and the styles of cameras

WHOLE = replace(TINY, aibn="deep", tnorm=True)


def norms_of(network):
    return {k for k, m in network.backbone.named_modules() if isinstance(m, AIBN)}


def test_which_norms_are_replaced():
    assert norms_of(Network(TINY)) == set()
    deep = norms_of(Network(replace(TINY, aibn="deep")))
    everywhere = norms_of(Network(replace(TINY, aibn="all")))
    assert deep == {n for n in everywhere if n.startswith(("stages.2", "stages.3"))}
    assert len(deep) == 2 + 4 + 2  # two downsamplings, blocks
    assert "stem.1" in everywhere
    assert "head.norm" not in everywhere


@pytest.mark.parametrize("mix", [0.0, 0.1, 1.0])
def test_where_mixing_starts(mix):
    network = Network(replace(TINY, aibn="all", aibn_mix=mix))
    mixes = [p for name, p in network.named_parameters() if name.endswith(".mix")]
    assert mixes
    assert [p.item() for p in mixes] == pytest.approx([mix] * len(mixes))
    assert all(parameter.requires_grad for parameter in mixes)


def test_neither_moves_the_weights_that_others_start_from():
    plain, whole = built(TINY), built(WHOLE)
    state = whole.state_dict()
    assert all(torch.equal(state[key], v) for key, v in plain.state_dict().items())


def test_styles_of_three_stages():
    assert Network(TINY, [4]).styles is None
    torch.manual_seed(0)
    network = Network(replace(TINY, tnorm=True), [1, 4]).eval()
    shapes = [tuple(moments.mean.shape) for moments in network.styles.layers]
    widths = [stage["num_chs"] for stage in network.backbone.feature_info[:3]]
    assert shapes == [(2, width) for width in widths]
    pairs = [tuple(moments.from_var.shape) for moments in network.styles.layers]
    assert pairs == [(2, 2, width) for width in widths]
    assert network.styles.camids == (1, 4)
    # Nothing that is trained; and nothing happens unless it is asked for.
    assert not list(network.styles.parameters())
    images = images_of(TINY)
    assert torch.equal(network(images), built(TINY)(images))


def test_features_in_all_styles():
    torch.manual_seed(0)
    network, images = Network(WHOLE, [1, 4, 6]).eval(), images_of(WHOLE)
    sources = network.styles.positions(np.array([4, 1]))
    with network.styles.all_targets(sources):
        assert network(images).shape == (6, network.feature_size)
    assert network(images).shape == (2, network.feature_size)


def test_a_copy_is_a_network_of_its_own():
    torch.manual_seed(0)
    network, images = Network(WHOLE, [0, 1]).eval(), images_of(WHOLE)
    for moments in network.styles.layers:
        moments.mean[1] = 3
    other, sources = copy.deepcopy(network), torch.tensor([0, 0])
    plain = network(images)
    with network.styles.all_targets(sources):
        styled = network(images)
        assert torch.equal(other(images), plain)
    with other.styles.all_targets(sources):
        assert torch.equal(other(images), styled)
        assert torch.equal(network(images), plain)
    assert not torch.allclose(styled[2:], plain, atol=1e-3)
    names = [name for name, _ in network.named_parameters()]
    assert [name for name, _ in other.named_parameters()] == names
    ids = [{id(p) for p in n.parameters()} for n in (network, other)]
    assert len(ids[0]) == len(ids[1])
    assert not ids[0] & ids[1]


def test_the_last_stride_and_gem_go_with_both():
    architecture = Architecture(
        "test_resnet", {}, (64, 32), 1, "gem", "feature", "deep", 0.1, True
    )
    network, images = Network(architecture, [0]), images_of(architecture, 3)
    assert network(images).shape == (3, network.feature_size)
    assert network.backbone.forward_features(images).shape[2:] == (4, 2)


@pytest.mark.parametrize("changed", [{"aibn": "deep"}, {"tnorm": True}])
def test_a_transformer_has_no_stages(changed):
    architecture = Architecture("test_vit", {}, (64, 32), 2, "gap", "none", **changed)
    with pytest.raises(ParamsError, match=r"^model: test_vit has not four stages"):
        Network(architecture, [0])


@pytest.mark.parametrize("aibn", ["deep", "all"])
def test_no_norm_to_replace(aibn):
    architecture = replace(TINY, backbone="test_nfnet", aibn=aibn)
    with pytest.raises(
        ParamsError,
        match=rf"model\.aibn: test_nfnet has no .*, got '{aibn}': set it to",
    ):
        Network(architecture)


def test_norms_of_what_is_no_map():
    # Channel attention makes a sequence of the positions.
    architecture = replace(TINY, backbone="edgenext_xx_small", aibn="deep")
    with pytest.raises(ParamsError, match=r"maps of four dimensions, got 3: change"):
        Network(architecture)


def test_maps_whose_channels_come_last_have_no_style():
    architecture = replace(TINY, backbone="test_mambaout", tnorm=True)
    with pytest.raises(
        ParamsError, match=r"test_mambaout .* tnorm needs maps of \(image, channel"
    ):
        Network(architecture, [0])


class Staged(nn.Module):
    """Two stages: the first gives what it is told to, the second is not used."""

    def __init__(self, first):
        super().__init__()
        self.first, self.second = first, nn.Identity()
        self.feature_info = [{"num_chs": 3}]

    def forward(self, images):
        self.first(images)
        return images.mean((2, 3))


class Listing(nn.Module):
    """Return a list, as the stages of SelecSLS do."""

    def forward(self, images):
        return [images]


def test_stages_that_give_no_single_map():
    model, listing = Staged(nn.Identity()), Staged(Listing())
    assert _num_channels(model, [model.first], (4, 4)) == [3]
    with pytest.raises(
        ValueError, match=r"tnorm needs maps of .* got \[\(1, 3, 4, 4\)\]"
    ):
        _num_channels(model, [model.first, model.second], (4, 4))
    with pytest.raises(ValueError, match=r"tnorm needs maps of .* got \[\(\)\]"):
        _num_channels(listing, [listing.first], (4, 4))
