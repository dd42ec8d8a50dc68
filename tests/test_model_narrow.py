from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from crosscam.model.narrow import spare_narrow


def spared(conv):
    model = nn.Sequential(copy.deepcopy(conv))
    spare_narrow(model)
    return model


def in_bf16(model, maps):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        return model(maps)


# Kernel, stride, padding, columns of the map; whether the output has but one.
CASES = [
    (2, 2, 0, 2, True),
    (2, 2, 0, 3, True),
    (2, 2, 0, 4, False),
    (3, 2, 1, 2, True),
    (3, 2, 1, 3, False),
    (7, 4, 3, 4, True),
    (7, 4, 3, 5, False),
    (1, 2, 0, 2, True),
    (1, 2, 0, 3, False),
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "width", "narrow"), CASES)
def test_a_narrow_output_is_computed_in_float32(kernel, stride, padding, width, narrow):
    torch.manual_seed(0)
    conv = nn.Conv2d(48, 8, kernel, stride, padding)
    maps = torch.randn(5, 48, 8, width)
    exact = conv(maps).detach()
    assert (exact.shape[3] == 1) == narrow
    found = in_bf16(spared(conv), maps)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, exact.bfloat16()) == narrow
    assert torch.allclose(found.float(), exact, atol=0.05)


def test_memory_of_others_does_not_get_in():
    """It did on processors with amx_bf16: NaN in 11 of 12 tries."""
    model = spared(nn.Conv2d(48, 64, 2, 2)).to(memory_format=torch.channels_last)
    for _ in range(12):
        junk = [torch.full((2**size,), float("nan")) for size in range(8, 20)]
        del junk
        maps = torch.randn(27, 48, 4, 2).contiguous(memory_format=torch.channels_last)
        assert torch.isfinite(in_bf16(model, maps)).all()


def test_a_border_by_the_size_of_the_map():
    conv = nn.Conv2d(8, 8, 3, 2, padding=1)
    conv.padding = "valid"
    maps = torch.randn(2, 8, 8, 4)
    assert torch.equal(in_bf16(spared(conv), maps), conv(maps).bfloat16())


def test_float32_and_all_else_stay_as_they_are():
    conv = nn.Conv2d(48, 8, 2, 2)
    maps = torch.randn(5, 48, 4, 2)
    model = spared(conv)
    assert torch.equal(model(maps), conv(maps))
    assert model.state_dict().keys() == nn.Sequential(conv).state_dict().keys()
    assert type(spared(nn.Conv2d(8, 8, 3, 1))[0]) is nn.Conv2d
    assert torch.equal(copy.deepcopy(model)(maps), model(maps))
