from __future__ import annotations

import pytest
import torch

from crosscam.model.pooling import GeneralisedMean


def pooled(values, power):
    maps = torch.tensor(values).view(1, 1, 1, -1)
    return GeneralisedMean(flatten=True, power=power)(maps).item()


def test_worked_examples():
    assert pooled([1.0, 3.0], 1.0) == pytest.approx(2)
    assert pooled([1.0, 3.0], 2.0) == pytest.approx(5**0.5)
    assert pooled([1.0, 3.0], 3.0) == pytest.approx(14 ** (1 / 3))
    assert pooled([1.0, 3.0], 60.0) == pytest.approx(3, rel=0.02)


def test_negative_activations_count_as_the_floor():
    assert pooled([-5.0, 4.0], 1.0) == pytest.approx(2)
    assert pooled([-5.0, -4.0], 3.0) == pytest.approx(1e-6)


def test_channels_and_images_are_apart():
    maps = torch.rand(2, 3, 4, 5)
    result = GeneralisedMean(flatten=True, power=1.0)(maps)
    assert torch.allclose(result, maps.mean((2, 3)))


def test_shapes():
    maps = torch.rand(2, 3, 4, 5)
    assert GeneralisedMean(flatten=True)(maps).shape == (2, 3)
    assert GeneralisedMean(flatten=False)(maps).shape == (2, 3, 1, 1)


def test_gradients_are_finite_where_nothing_is_active():
    layer, maps = GeneralisedMean(flatten=True), torch.zeros(1, 2, 2, 2)
    maps.requires_grad_()
    layer(maps).sum().backward()
    assert torch.isfinite(maps.grad).all()
    assert torch.isfinite(layer.power.grad).all()
    assert layer.power.item() == 3
