"""Trimmed convolutions: the same values from fewer taps."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from crosscam.model.network import Architecture, Network
from crosscam.model.trim import TrimmedConv, trim

SMALL = Architecture("test_convnext", {}, (64, 32), 2, "gap", "none")


def trimmed(conv):
    model = nn.Sequential(copy.deepcopy(conv))
    trim(model)
    return model[0]


def kernel_seen(monkeypatch, conv, maps):
    """Return the size of the kernel that torch is given."""
    sizes, convolved = [], torch.nn.functional.conv2d

    def noted(maps, weight, *others, **named):
        sizes.append(tuple(weight.shape[2:]))
        return convolved(maps, weight, *others, **named)

    monkeypatch.setattr(torch.nn.functional, "conv2d", noted)
    conv(maps)
    return sizes[0]


def test_worked_example():
    """On one pixel, a 3 × 3 kernel is its middle: 5 · 2 + 1."""
    conv = nn.Conv2d(1, 1, 3, padding=1)
    with torch.no_grad():
        conv.weight.copy_(torch.arange(1.0, 10).view(1, 1, 3, 3))
        conv.bias.fill_(1)
    assert trimmed(conv)(torch.full((1, 1, 1, 1), 2.0)).item() == 11


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 3), (4, 2), (3, 9), (8, 8)])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("kernel", [(7, 7), (3, 3), (1, 5)])
def test_values_and_gradients_are_those_of_the_whole_kernel(size, groups, kernel):
    torch.manual_seed(0)
    padding = tuple(side // 2 for side in kernel)
    conv = nn.Conv2d(4, 8, kernel, padding=padding, groups=groups).double()
    maps = torch.randn(3, 4, *size, dtype=torch.float64)
    results = []
    for each in (conv, trimmed(conv)):
        given = maps.clone().requires_grad_()
        output = each(given)
        output.square().sum().backward()
        results.append([output, given.grad, each.weight.grad, each.bias.grad])
    for whole, cut in zip(*results, strict=True):
        assert torch.allclose(whole, cut, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "kernel"), [((1, 1), (1, 1)), ((2, 1), (3, 1)), ((4, 2), (7, 3))]
)
def test_taps_that_meet_padding_alone_are_left_out(monkeypatch, size, kernel):
    conv = trimmed(nn.Conv2d(2, 2, 7, padding=3))
    assert kernel_seen(monkeypatch, conv, torch.ones(1, 2, *size)) == kernel


def test_a_large_map_has_the_bits_that_torch_gives():
    torch.manual_seed(0)
    conv, maps = nn.Conv2d(4, 4, 7, padding=3, groups=4), torch.randn(2, 4, 8, 4)
    assert torch.equal(trimmed(conv)(maps), conv(maps))


@pytest.mark.parametrize(
    "others",
    [
        {"stride": 2, "padding": 1},
        {"dilation": 2, "padding": 2},
        {"padding": 0},
        {"padding": 2},
        {"padding": "same"},
        {"padding": 1, "padding_mode": "reflect"},
    ],
)
def test_other_convolutions_stay(others):
    assert type(trimmed(nn.Conv2d(2, 2, 3, **others))) is nn.Conv2d
    assert type(trimmed(nn.Conv2d(2, 2, 1))) is nn.Conv2d


def test_a_network_keeps_its_keys_and_features():
    torch.manual_seed(0)
    network = Network(SMALL).eval()
    found = [m for m in network.modules() if isinstance(m, TrimmedConv)]
    assert found
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        features, keys = network(images), list(network.state_dict())
        for module in found:
            module.__class__ = nn.Conv2d
        assert torch.allclose(network(images), features, atol=1e-5)
    assert list(network.state_dict()) == keys
