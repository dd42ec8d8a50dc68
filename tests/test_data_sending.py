from __future__ import annotations

import pytest
import torch

from crosscam.data.sending import sent


@pytest.fixture
def copies(monkeypatch):
    """Note how tensors are copied, as no device is at hand that could take them."""
    seen = []

    def pin_memory(self):
        seen.append("page-locked")
        return self

    def to(self, device, *, non_blocking):
        seen.append((torch.device(device).type, non_blocking))
        return self

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin_memory)
    monkeypatch.setattr(torch.Tensor, "to", to)
    return seen


def test_nothing_is_copied_that_is_there():
    tensor = torch.arange(3)
    assert sent(tensor, torch.device("cpu")) is tensor


def test_a_copy_to_a_gpu_is_queued(copies):
    sent(torch.arange(3), torch.device("cuda"))
    assert copies == ["page-locked", ("cuda", True)]


def test_a_copy_elsewhere_needs_no_locked_pages(copies):
    sent(torch.arange(3), torch.device("meta"))
    assert copies == [("meta", True)]


def test_a_copy_to_the_cpu_is_waited_for(copies):
    sent(torch.arange(3), torch.device("cpu"))
    assert copies == [("cpu", False)]
