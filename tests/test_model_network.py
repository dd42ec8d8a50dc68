from __future__ import annotations

from dataclasses import replace

import pytest
import timm
import torch

from crosscam.model.network import Architecture, Network, ShiftlessNorm, timm_options
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
