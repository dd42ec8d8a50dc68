from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from crosscam.train.optimise import OptimParams, Phase, TrainingError

PLAIN = OptimParams("sgd", 0.0, 0.0, 0.1, "constant")
SGD = replace(PLAIN, momentum=0.9)
BATCHES = [np.array([0, 1]), np.array([2])]


class Weight(nn.Module):
    """A single weight, and one that must not be trained."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(1.0))
        self.frozen = nn.Parameter(torch.tensor(5.0), requires_grad=False)


@pytest.fixture
def network():
    return Weight()


@pytest.fixture
def head():
    return Weight()


def phase(network, head, params=PLAIN, num_epochs=1):
    return Phase(network, [head], params, lr=0.5, num_epochs=num_epochs)


def test_a_step_of_sgd_by_hand(network, head):
    # The loss 2 n + 3 h has the gradients 2 and 3; the backbone learns at a tenth.
    run = phase(network, head)
    run.run_epoch(0, BATCHES[:1], lambda rows: 2 * network.value + 3 * head.value)
    assert network.value.item() == pytest.approx(1 - 0.05 * 2)
    assert head.value.item() == pytest.approx(1 - 0.5 * 3)
    assert head.frozen.item() == network.frozen.item() == 5


def test_momentum_and_weight_decay(network, head):
    run = phase(network, head, replace(PLAIN, momentum=0.9, weight_decay=0.1))
    run.run_epoch(0, BATCHES, lambda rows: 3 * head.value + 0 * network.value)
    first = 1 - 0.5 * (3 + 0.1 * 1)
    velocity = 0.9 * (3 + 0.1) + (3 + 0.1 * first)
    assert head.value.item() == pytest.approx(first - 0.5 * velocity)


@pytest.mark.parametrize("params", [SGD, replace(PLAIN, name="adamw")])
def test_a_state_is_restored_beside_its_parameter(params):
    """On its device, also that of a scalar, as AIBN has one per block."""
    run = phase(Weight(), Weight(), params)
    run.run_epoch(0, BATCHES[:1], lambda rows: total(run))
    kept = run.optimizer_state()
    assert {value.device.type for value in kept.values()} == {"cpu"}
    again = phase(Weight().to("meta"), Weight().to("meta"), params)
    again.restore(kept)
    for key, value in again.optimizer_state().items():
        there = "cpu" if key.endswith(".step") else "meta"
        assert value.device.type == there
        assert value.shape == kept[key].shape


def total(run):
    return sum(p for group in run.optimizer.param_groups for p in group["params"])


@pytest.mark.parametrize("key", ["0.momentum_buffer", "2.momentum_buffer", "a.step"])
def test_a_state_of_no_parameter_is_told(key):
    run = phase(Weight(), Weight(), SGD)
    with pytest.raises(TrainingError, match=rf"{key} of shape \(2,\) is of no param"):
        run.restore({key: torch.zeros(2)})


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"0.momentum_buffer": torch.zeros((), dtype=torch.int64)}, "is of no param"),
        ({"0.step": torch.zeros(())}, r"0.step of shape \(\) is of no parameter"),
    ],
)
def test_a_state_of_another_optimiser_is_told(state, told):
    with pytest.raises(TrainingError, match=told):
        phase(Weight(), Weight(), SGD).restore(state)


def test_a_part_that_is_missing_is_told():
    run = phase(Weight(), Weight(), replace(PLAIN, name="adamw"))
    state = {f"0.{name}": torch.zeros(()) for name in ("step", "exp_avg")}
    told = r"a parameter of shape \(\) has \['step', 'exp_avg'\]: remove .runs"
    with pytest.raises(TrainingError, match=told):
        run.restore(state)


def test_adamw_takes_steps_of_the_learning_rate(network, head):
    run = phase(network, head, replace(PLAIN, name="adamw"))
    run.run_epoch(0, BATCHES[:1], lambda rows: 7 * head.value - 7 * network.value)
    assert head.value.item() == pytest.approx(1 - 0.5)
    assert network.value.item() == pytest.approx(1 + 0.05)


def test_what_an_epoch_reports(network, head):
    run = phase(network, head)
    losses = {2: 4.0, 1: 10.0}  # by the size of the batch
    epoch = run.run_epoch(
        0, BATCHES, lambda rows: losses[len(rows)] + 0 * (network.value + head.value)
    )
    assert epoch.loss == pytest.approx((2 * 4 + 1 * 10) / 3)
    assert (epoch.lr, epoch.num_images, epoch.num_steps) == (0.5, 3, 2)
    assert epoch.images_per_second > 0


def rates(run, number, network, head):
    seen = []

    def loss_of(rows):
        seen.append([group["lr"] for group in run.optimizer.param_groups])
        return network.value + head.value

    epoch = run.run_epoch(number, BATCHES, loss_of)
    assert epoch.lr == seen[-1][1]
    return seen


def test_constant_learning_rate(network, head):
    run = phase(network, head, num_epochs=2)
    assert rates(run, 1, network, head) == [[0.05, 0.5], [0.05, 0.5]]


def test_cosine_learning_rate(network, head):
    # Two epochs of two steps: progress 0, 1/4, 1/2, 3/4.
    run = phase(network, head, replace(PLAIN, schedule="cosine"), num_epochs=2)
    seen = rates(run, 0, network, head) + rates(run, 1, network, head)
    root = math.sqrt(0.5)
    factors = [1, (1 + root) / 2, 0.5, (1 - root) / 2]
    assert seen == [pytest.approx([0.05 * f, 0.5 * f]) for f in factors]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite(network, head, bad):
    run = phase(network, head)
    with pytest.raises(
        TrainingError,
        match=rf"epoch 3: the loss must be finite, got a loss of {bad}: lower the",
    ):
        run.run_epoch(2, BATCHES[:1], lambda rows: bad * (network.value + head.value))
