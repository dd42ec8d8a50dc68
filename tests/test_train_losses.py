from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from hypothesis import given
from hypothesis import strategies as st

from crosscam.train.losses import batch_hard_triplet, camera_cross_entropy
from tests import oracles

seeds = st.integers(0, 2**63 - 1)


def line(*positions):
    return torch.tensor([[float(position), 0.0] for position in positions])


# Batch-hard triplet


def test_triplet_by_hand():
    # Hardest positives 1, 1, 2, 2; hardest negatives 3, 2, 2, 4.
    features, labels = line(0, 1, 3, 5), torch.tensor([0, 0, 1, 1])
    expected = (0 + 0 + 0.3 + 0) / 4
    assert batch_hard_triplet(features, labels, 0.3).item() == pytest.approx(expected)
    expected = (1 + 2 + 3 + 1) / 4
    assert batch_hard_triplet(features, labels, 3.0).item() == pytest.approx(expected)


def test_an_image_is_its_own_positive_where_there_is_no_other():
    loss = batch_hard_triplet(line(0, 1), torch.tensor([0, 1]), 3.0)
    assert loss.item() == pytest.approx(2, abs=1e-5)


def test_no_negative_adds_nothing():
    features = line(0, 1, 2).requires_grad_()
    loss = batch_hard_triplet(features, torch.tensor([4, 4, 4]), 0.3)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros(3, 2))


@given(seed=seeds, num=st.integers(1, 16), margin=st.sampled_from([0.0, 0.3, 2.0]))
def test_triplet_agrees_with_the_definition(seed, num, margin):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(num, 5, generator=generator)
    labels = torch.randint(4, (num,), generator=generator)
    expected = oracles.batch_hard_triplet(features.tolist(), labels.tolist(), margin)
    loss = batch_hard_triplet(features, labels, margin).item()
    # An error of 10^-6 in the square of a distance near 0 is one of 10^-3 in itself.
    assert loss == pytest.approx(expected, abs=2e-3)


def test_gradient_is_finite_at_duplicates():
    features = line(1, 1, 1, 1).requires_grad_()
    loss = batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]), 0.3)
    loss.backward()
    assert loss.item() == pytest.approx(0.3)
    assert torch.isfinite(features.grad).all()


def test_gradient_moves_positives_together_and_negatives_apart():
    features = line(0, 1, 2).requires_grad_()
    batch_hard_triplet(features, torch.tensor([0, 0, 1]), 3.0).backward()
    left, _, right = (-features.grad[:, 0]).tolist()
    assert left > 0  # towards its positive at 1
    assert right > 0  # away from the negatives


# Cross entropy per camera


def test_one_camera_is_the_cross_entropy():
    logits = {7: torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])}
    loss = camera_cross_entropy(logits, torch.tensor([1, 0]), torch.tensor([7, 7]))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_two_cameras_by_hand():
    # Camera 0 has rows 0 and 2, camera 1 row 1: 2 · (ln 2 + ln 3 + ln 2) / 3.
    logits = {0: torch.zeros(2, 2), 1: torch.zeros(1, 3)}
    labels, camids = torch.tensor([0, 2, 1]), torch.tensor([0, 1, 0])
    loss = camera_cross_entropy(logits, labels, camids)
    assert loss.item() == pytest.approx(2 * math.log(2 * 3 * 2) / 3)


@given(seed=seeds, num_cameras=st.integers(1, 4), num=st.integers(1, 5))
def test_is_the_sum_of_means_where_cameras_are_equal_in_number(seed, num_cameras, num):
    generator = torch.Generator().manual_seed(seed)
    camids = torch.arange(num_cameras).repeat(num)
    labels = torch.randint(3, camids.shape, generator=generator)
    logits = {c: torch.randn(num, 3, generator=generator) for c in range(num_cameras)}
    expected = sum(
        F.cross_entropy(logits[camid], labels[camids == camid]).item()
        for camid in logits
    )
    loss = camera_cross_entropy(logits, labels, camids)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    turned = dict(reversed(logits.items()))
    assert camera_cross_entropy(turned, labels, camids).item() == pytest.approx(
        loss.item(), rel=1e-5
    )
