from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from crosscam.train.intra import intra_round
from crosscam.train.progress import Progress
from crosscam.train.state import StateError, restore, state_of
from tests.tiny import (
    ARCHITECTURE,
    FIRST_INTRA,
    INTRA,
    SETTING,
    state_bytes,
    tiny_images,
    tiny_network,
)

NECK = replace(ARCHITECTURE, neck="head")


def trained(architecture=ARCHITECTURE, setting=SETTING):
    progress = Progress(tiny_network(architecture))
    given = tiny_images(), INTRA, setting, FIRST_INTRA, 2, 0.002
    intra_round(progress.network, *given, progress)
    return progress


@pytest.fixture(scope="module")
def progress():
    return trained()


def tensors_of(arrays):
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def restored(progress, architecture=ARCHITECTURE, change=lambda tensors, about: None):
    arrays, about = state_of(progress)
    tensors, about = tensors_of(arrays), json.loads(json.dumps(about))  # as from a file
    change(tensors, about)
    again = Progress(tiny_network(architecture))
    restore(again, tensors, about, SETTING.head)
    return again


@pytest.mark.parametrize("architecture", [ARCHITECTURE, NECK])
def test_a_state_comes_back_as_it_was(architecture):
    progress = trained(architecture)
    again = restored(progress, architecture)
    (position, done), (same_position, same) = progress.rounds[0], again.rounds[0]
    assert same_position == position
    assert same._replace(heads=done.heads, pseudo_labels=done.pseudo_labels) == done
    assert np.array_equal(same.pseudo_labels, done.pseudo_labels)
    assert same.pseudo_labels.dtype == done.pseudo_labels.dtype
    assert state_bytes(again.network, *same.heads.values()) == state_bytes(
        progress.network, *done.heads.values()
    )
    assert list(same.heads) == list(done.heads)


def order(tensor):
    """Return the strides of all dimensions along which there is more than one value."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    return [stride for size, stride in sizes if size > 1]


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_optimiser_comes_back_in_the_same_order_of_memory(name):
    setting = replace(SETTING, optim=replace(SETTING.optim, name=name))
    progress = trained(setting=setting)
    again = restored(progress)
    given = tiny_images(), INTRA, setting, FIRST_INTRA, 2, 0.002
    intra_round(again.network, *given, again)  # its epochs are done: it only begins
    before, after = (p.phase.optimizer.state_dict()["state"] for p in (progress, again))
    assert list(before) == list(after)
    parts = [(before[i][k], after[i][k]) for i in before for k in before[i]]
    tensors = [pair for pair in parts if pair[0] is not None]
    assert len(tensors) > 10
    for one, other in tensors:
        assert torch.equal(one, other)
        assert order(one) == order(other)
    weights = [one for one, _ in tensors if one.ndim == 4]
    assert any(not one.is_contiguous() for one in weights)  # channels last


def test_what_does_not_fit_leaves_the_network_alone(progress):
    other = replace(ARCHITECTURE, aibn="deep")
    network = tiny_network(other)
    before = state_bytes(network)
    arrays, about = state_of(progress)
    with pytest.raises(StateError, match="its weights are not those of this network"):
        restore(Progress(network), tensors_of(arrays), about, SETTING.head)
    assert state_bytes(network) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t, a: t.pop("labels.0"), "lacks a part, KeyError: 'labels.0'"),
        (lambda t, a: t.pop("heads.1.weight"), "lacks a part, KeyError: 'weight'"),
        (lambda t, a: a.update(rounds=[]), "lacks a part, IndexError"),
        (lambda t, a: a.pop("cameras"), "its metadata: cameras: missing key"),
        (
            lambda t, a: a.update(rounds=[[["intra"], 1, []]]),
            r"its metadata: rounds\[0\]\[0\]: expected 4 values, got \['intra'\]",
        ),
    ],
)
def test_a_missing_part_is_named(progress, change, told):
    with pytest.raises(StateError, match=told):
        restored(progress, change=change)
