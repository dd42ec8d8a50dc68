from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from crosscam.model.pooling import GeneralisedMean
from crosscam.model.surgery import pool, unstride
from crosscam.params import ParamsError


def block(layer):
    return nn.Sequential(layer)


def test_only_the_last_downsampling_goes():
    model = nn.Sequential(*(block(nn.Conv2d(1, 1, 3, 2, 1)) for _ in range(3)))
    unstride(model, "mine")
    assert [stage[0].stride for stage in model] == [(2, 2), (2, 2), (1, 1)]


@pytest.mark.parametrize("kind", [nn.AvgPool2d, nn.MaxPool2d])
def test_a_pool_of_two_by_two_lets_all_pass(kind):
    model = nn.Sequential(block(nn.Conv2d(1, 1, 3, 2, 1)), block(kind(2)))
    unstride(model, "mine")
    images = torch.rand(1, 1, 8, 6)
    assert torch.equal(model(images), model[0](images))


def test_an_overlapping_pool_keeps_its_size():
    model = nn.Sequential(block(nn.Conv2d(1, 1, 3, 2, 1)), block(nn.MaxPool2d(3, 2, 1)))
    unstride(model, "mine")
    assert model(torch.rand(1, 1, 8, 6)).shape[2:] == (4, 3)


def test_the_shortcut_loses_its_stride_too():
    model = timm.create_model("test_resnet", num_classes=0)  # pools in its shortcuts
    unstride(model, "test_resnet")
    with torch.no_grad():
        assert model.forward_features(torch.zeros(1, 3, 64, 32)).shape[2:] == (4, 2)


@pytest.mark.parametrize("count", [0, 1])
def test_the_first_layer_keeps_its_stride(count):
    model = nn.Sequential(*(block(nn.Conv2d(1, 1, 3, 2)) for _ in range(count)))
    with pytest.raises(ParamsError, match=r"model\.last_stride: mine has no last"):
        unstride(model, "mine")


def test_pooling_is_replaced():
    model = timm.create_model("test_convnext", num_classes=0)
    pool(model, "test_convnext")
    assert isinstance(model.head.global_pool, GeneralisedMean)
    # The layers behind it still get (num_images, channels, 1, 1).
    assert not model.head.global_pool.flatten
    assert model(torch.zeros(2, 3, 64, 32)).shape == (2, 64)


def test_no_pooling_to_replace():
    with pytest.raises(ParamsError, match=r"model\.pooling: mine .*: use gap"):
        pool(nn.Sequential(nn.AdaptiveAvgPool2d(1)), "mine")
