from __future__ import annotations

from collections import Counter

import pytest
import timm
import torch
from timm.layers.conv_bn_act import ConvNormAct
from torch import nn

from crosscam.model.stages import norms_between, stage_ends
from crosscam.params import ParamsError


def built(name):
    with torch.device("meta"):
        return timm.create_model(name, num_classes=0)


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("resnet50", ("layer1", "layer2", "layer3", "layer4")),
        ("convnext_tiny", ("stages.0", "stages.1", "stages.2", "stages.3")),
        ("mobilenetv2_035", ("blocks.1", "blocks.2", "blocks.4", "blocks.6")),
    ],
)
def test_ends_of_the_stages(name, ends):
    assert stage_ends(built(name), name) == ends


@pytest.mark.parametrize(
    "name",
    [
        "test_vit",  # one resolution
        "twins_svt_small",  # the names are no modules
        "hrnet_w18",
        "coat_tiny",  # three stages end in one module
    ],
)
def test_models_without_four_stages(name):
    with pytest.raises(
        ParamsError, match=rf"^model: {name} has not four stages .* set model\.aibn to"
    ):
        stage_ends(built(name), name)


def test_a_model_that_tells_nothing_of_its_stages():
    with pytest.raises(ParamsError, match="model: mine has not four stages"):
        stage_ends(nn.Linear(1, 1), "mine")


def test_norms_of_a_resnet():
    model = built("resnet50")
    found = norms_between(model, None, "layer4")
    norms = [k for k, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert list(found) == norms
    assert len(norms) == 53
    assert found["bn1"] == ""  # the stem is a block of its own
    assert {found[f"layer1.0.{norm}"] for norm in ("bn1", "bn2", "bn3")} == {"layer1.0"}
    # The shortcut's norm stands in a sequence.
    assert found["layer2.0.downsample.1"] == "layer2.0"
    deep = norms_between(model, "layer2", "layer4")
    assert list(deep) == [
        name for name in norms if name.startswith(("layer3", "layer4"))
    ]


def test_norms_of_a_convnext():
    model = built("convnext_tiny")
    found = norms_between(model, None, "stages.3")
    # Stem, three downsamplings, 3 + 3 + 9 + 3 blocks; the norm behind the last stage,
    # before the classifier, is none of a stage.
    assert len(found) == 1 + 3 + 18
    assert "head.norm" not in found
    assert found["stages.2.blocks.4.norm"] == "stages.2.blocks.4"
    assert found["stages.2.downsample.0"] == "stages.2"
    deep = norms_between(model, "stages.1", "stages.3")
    assert len(deep) == 2 + 9 + 3
    assert deep.items() < found.items()


def test_a_convolution_with_its_norm_is_no_block():
    model = built("cspresnet50")
    found = norms_between(model, "stages.1", "stages.3")
    assert all(type(model.get_submodule(b)) is not ConvNormAct for b in found.values())
    # In each of 5 and 2 bottlenecks three norms, and one mix for them.
    shared = Counter(block for block in found.values() if ".blocks." in block)
    assert set(shared.values()) == {3}
    assert len(shared) == 5 + 2


def test_norms_of_selective_kernels():
    # The attention and the paths of a kernel are modules of their own, the second
    # convolution with its norm is none.
    found = norms_between(built("skresnet18"), "layer3", "layer4")
    assert {name: block for name, block in found.items() if "layer4.0" in name} == {
        "layer4.0.conv1.paths.0.bn": "layer4.0.conv1.paths",
        "layer4.0.conv1.paths.1.bn": "layer4.0.conv1.paths",
        "layer4.0.conv1.attn.bn": "layer4.0.conv1.attn",
        "layer4.0.conv2.bn": "layer4.0",
        "layer4.0.downsample.1": "layer4.0",
    }


def test_names_that_start_alike():
    names = ["layer1", "layer10", "layer2"]
    model = nn.ModuleDict({name: nn.Sequential(nn.BatchNorm2d(1)) for name in names})
    assert list(norms_between(model, None, "layer1")) == ["layer1.0"]
    assert list(norms_between(model, "layer1", "layer10")) == ["layer10.0"]


def test_a_norm_that_ends_a_stage_itself():
    model = nn.Sequential(nn.BatchNorm2d(1), nn.BatchNorm2d(1), nn.BatchNorm2d(1))
    assert list(norms_between(model, None, "1")) == ["0", "1"]
    assert list(norms_between(model, "0", "1")) == ["1"]


def test_group_norms_are_no_such_norms():
    model = nn.Sequential(nn.GroupNorm(1, 4), nn.InstanceNorm2d(4))
    assert norms_between(model, None, "1") == {}
