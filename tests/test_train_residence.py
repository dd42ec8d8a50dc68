from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from crosscam.train.residence import resident, taken

# Stands for a GPU: what lies there cannot be looked at.
DEVICE = torch.device("meta")


@pytest.fixture
def free(monkeypatch):
    """Let a device have 2,000 bytes free."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2000, 4000))


def images(num):
    return torch.arange(num * 12, dtype=torch.uint8).view(num, 3, 2, 2)


def test_on_a_cpu_images_stay_where_they_are():
    pixels = images(3)
    assert resident(pixels, torch.device("cpu")) is pixels


@pytest.mark.usefixtures("free")
def test_images_move_that_fit_with_room_for_work(caplog):
    with caplog.at_level(logging.INFO):
        there = resident(torch.empty(1000, dtype=torch.uint8), DEVICE)
    assert there.device == DEVICE
    assert there.dtype == torch.uint8
    assert not caplog.messages


@pytest.mark.usefixtures("free")
def test_others_stay_and_it_is_said(caplog):
    pixels = torch.empty(1001, dtype=torch.uint8)
    with caplog.at_level(logging.INFO):
        assert resident(pixels, DEVICE) is pixels
    (message,) = caplog.messages
    assert message == (
        "0.0 GB of images stay in the computer's memory: meta has 0.0 GB free"
    )


def test_rows_of_images():
    rows = np.array([2, 0, 2])
    found = taken(images(3), rows, torch.device("cpu"))
    assert torch.equal(found, images(3)[[2, 0, 2]])
    for there in (images(3), images(3).to(DEVICE)):
        batch = taken(there, rows, DEVICE)
        assert batch.device == DEVICE
        assert batch.shape == (3, 3, 2, 2)
