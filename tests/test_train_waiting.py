"""No step waits for the device: nothing that lies there is looked at.

The meta device stands for a GPU: its tensors have shapes and no values, so that
whatever asks for a value there, and would make the program wait for a GPU, fails.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from crosscam.model.heads import Head, HeadParams
from crosscam.train import inter, intra
from crosscam.train.features import styled_features
from crosscam.train.measure import measure_styles
from crosscam.train.optimise import Phase
from crosscam.train.progress import Progress
from crosscam.train.rounds import TrainingSet
from tests.tiny import (
    DISTILLED,
    FIRST_INTER,
    FIRST_INTRA,
    INTER,
    INTRA,
    NUM_CAMERAS,
    PIDS,
    SETTING,
    WHOLE,
    tiny_images,
    tiny_network,
)

DEVICE = torch.device("meta")
COPIES = {"aten::_to_copy", "aten::copy_"}


class Operations(TorchDispatchMode):
    """Fail where an operation would wait for the device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = tree_leaves((args, kwargs or {}))
        here = [t for t in given if isinstance(t, torch.Tensor) and t.device != DEVICE]
        there = [t for t in given if isinstance(t, torch.Tensor) and t.device == DEVICE]
        name = function.name().partition(".")[0]
        target = (kwargs or {}).get("device")
        if name in COPIES and here and (there or target == DEVICE):
            queued = DEVICE in args or (kwargs or {}).get("non_blocking")
            queued = queued or (name == "aten::copy_" and args[2:] == (True,))
            assert queued, f"{name} waits"
        elif there:
            # A single value is passed on like a number.
            assert all(tensor.ndim == 0 for tensor in here), f"{name} takes from both"
        return function(*args, **(kwargs or {}))


class Constants(TorchFunctionMode):
    """Fail where a list of numbers would be copied to the device, which waits."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in {torch.tensor, torch.as_tensor}:
            target = (kwargs or {}).get("device")
            assert target is None or torch.device(target) != DEVICE, "a constant waits"
        return function(*args, **(kwargs or {}))


@contextmanager
def unwaiting():
    """Let whatever waits for the device fail."""
    with Operations(), Constants():
        yield


def there(network, heads):
    images = tiny_images()
    pixels = images.pixels.to(DEVICE)
    heads = {camid: head.to(DEVICE) for camid, head in heads.items()}
    return network.to(DEVICE), heads, TrainingSet(pixels, images.camids)


def heads_of(network, camids, setting):
    neck = network.architecture.neck == "head"
    size = network.feature_size
    return {c: Head(size, 15, setting.head, neck) for c in camids}


@pytest.fixture
def steps(monkeypatch):
    """Take the steps of an epoch, and not what follows them; return their number."""
    taken = []

    def run_epoch(self, number, batches, loss_of):
        for rows in batches:
            with unwaiting():
                loss = loss_of(rows)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()
            assert loss.device == DEVICE
            taken.append(len(rows))
        raise StopIteration

    monkeypatch.setattr(Phase, "run_epoch", run_epoch)
    return taken


LINEAR = replace(DISTILLED, head=HeadParams("linear", 1.0))
SGD = replace(LINEAR, optim=replace(SETTING.optim, name="sgd"))
SYSTEMS = {
    "whole": (WHOLE, DISTILLED),
    "sgd": (replace(WHOLE, neck="head"), SGD),
}
systems = pytest.mark.parametrize(
    ("architecture", "setting"), SYSTEMS.values(), ids=SYSTEMS
)


@systems
def test_no_step_of_an_intra_camera_round_waits(
    monkeypatch, steps, architecture, setting
):
    network = tiny_network(architecture)
    heads = heads_of(network, range(NUM_CAMERAS), setting)
    network, heads, images = there(network, heads)
    clusters = intra.Clusters((PIDS - 1).astype(np.int32), heads)
    monkeypatch.setattr(intra, "_clusters", lambda *_, **__: clusters)
    progress = Progress(network)
    with pytest.raises(StopIteration):
        intra.intra_round(
            *(network, images, INTRA, setting, FIRST_INTRA, 1, 0.1), progress
        )
    assert steps == [24, 21]


@systems
def test_no_step_of_an_inter_camera_round_waits(steps, architecture, setting):
    network = tiny_network(architecture)
    heads = heads_of(network, [inter.ALL_CAMERAS], setting)
    network, heads, images = there(network, heads)
    clusters = inter.Clusters((PIDS - 1).astype(np.int32), heads)
    progress = Progress(network)
    progress.clusters(FIRST_INTER, lambda: clusters)
    with pytest.raises(StopIteration):
        inter.train_on(
            *(network, clusters, images, INTER, setting, FIRST_INTER), progress
        )
    assert len(steps) > 1


def passes(network):
    """Return a list that grows by the images of each pass through the network."""
    seen = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    return seen


def test_features_and_scores_are_fetched_when_all_passes_are_queued():
    network = tiny_network(WHOLE)
    heads = heads_of(network, range(NUM_CAMERAS), SETTING)
    network, heads, images = there(network, heads)
    seen = passes(network)
    with unwaiting(), pytest.raises(NotImplementedError, match="copy out of meta"):
        styled_features(network, *images, 30, heads)
    assert seen == [20, 20, 20, 20, 10]  # 45 images and their mirror images


def test_moments_are_added_up_on_the_device():
    network, _, images = there(tiny_network(WHOLE), {})
    seen = passes(network)
    # What ends the first pass over all images asks which cameras have any.
    with unwaiting(), pytest.raises(NotImplementedError, match="nonzero"):
        measure_styles(network, images, 20)
    assert seen == [20, 20, 5]


# The watch itself


@pytest.mark.parametrize(
    ("what", "waits"),
    [
        ("fetching", lambda x: x.cpu()),
        ("a value", lambda x: x[0].item()),
        ("a truth", lambda x: bool((x > 0).all())),
        ("a list", lambda x: x.tolist()),
        ("a mask", lambda x: x[x > 0]),
        ("different values", torch.unique),
        ("rows on the CPU", lambda x: x[torch.tensor([0, 2])]),
        ("constants", lambda x: x + torch.tensor([1.0, 2.0, 3.0], device=DEVICE)),
        ("a plain copy", lambda x: torch.ones(3).to(DEVICE)),
        ("copying into it", lambda x: x.copy_(torch.ones(3))),
    ],
)
def test_what_waits_is_found(what, waits):
    faults = (AssertionError, RuntimeError)  # NotImplementedError is one
    with unwaiting(), pytest.raises(faults):
        waits(torch.ones(3, device=DEVICE))


def test_what_does_not_wait_is_let_through():
    x = torch.ones(3, device=DEVICE)
    with unwaiting():
        rows = torch.tensor([0, 2]).to(DEVICE, non_blocking=True)
        y = (x[rows] * torch.tensor(2.0)).sum() + 1
        x.copy_(torch.ones(3), non_blocking=True)
        x[:2] = 0
        assert torch.ones(1).item() == 1  # what is on the CPU may be looked at
    assert y.device == DEVICE
