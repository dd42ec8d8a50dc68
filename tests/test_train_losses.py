from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from hypothesis import given
from hypothesis import strategies as st

from crosscam.train.losses import (
    batch_hard_triplet,
    camera_cross_entropy,
    camera_soft_cross_entropy,
    soft_cross_entropy,
    soft_triplet,
)
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
    loss = camera_cross_entropy(logits, {7: torch.tensor([1, 0])})
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_two_cameras_by_hand():
    # Camera 0 has two images, camera 1 one: 2 · (ln 2 + ln 3 + ln 2) / 3.
    logits = {0: torch.zeros(2, 2), 1: torch.zeros(1, 3)}
    labels = {0: torch.tensor([0, 1]), 1: torch.tensor([2])}
    loss = camera_cross_entropy(logits, labels)
    assert loss.item() == pytest.approx(2 * math.log(2 * 3 * 2) / 3)


@given(seed=seeds, num_cameras=st.integers(1, 4), num=st.integers(1, 5))
def test_is_the_sum_of_means_where_cameras_are_equal_in_number(seed, num_cameras, num):
    generator = torch.Generator().manual_seed(seed)
    labels = dict(enumerate(torch.randint(3, (num_cameras, num), generator=generator)))
    logits = {c: torch.randn(num, 3, generator=generator) for c in labels}
    expected = sum(F.cross_entropy(logits[c], labels[c]).item() for c in logits)
    loss = camera_cross_entropy(logits, labels)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    turned = dict(reversed(logits.items()))
    assert camera_cross_entropy(turned, labels).item() == pytest.approx(
        loss.item(), rel=1e-5
    )


# Soft cross entropy

LOG_3 = math.log(3)


def test_soft_cross_entropy_by_hand():
    # Taught 3/4 and 1/4, said a half each: ln 2. Taught a half each, said 3/4 and 1/4.
    logits = torch.tensor([[0.0, 0.0], [LOG_3, 0.0]])
    teacher = torch.tensor([[LOG_3, 0.0], [5.0, 5.0]])
    second = -(math.log(3 / 4) + math.log(1 / 4)) / 2
    loss = soft_cross_entropy(logits, teacher)
    assert loss.item() == pytest.approx((math.log(2) + second) / 2)


def test_a_certain_teacher_is_a_label():
    logits, labels = torch.tensor([[0.3, -1.0, 2.0], [1.0, 0.0, 0.5]]), [2, 1]
    teacher = torch.full((2, 3), -1e4)
    teacher[[0, 1], labels] = 1e4
    expected = F.cross_entropy(logits, torch.tensor(labels))
    assert soft_cross_entropy(logits, teacher).item() == pytest.approx(expected.item())


@given(seed=seeds, num=st.integers(1, 6), num_classes=st.integers(1, 5))
def test_soft_cross_entropy_agrees_with_the_definition(seed, num, num_classes):
    generator = torch.Generator().manual_seed(seed)
    logits, teacher = torch.randn(2, num, num_classes, generator=generator) * 3
    expected = oracles.soft_cross_entropy(logits.tolist(), teacher.tolist())
    loss = soft_cross_entropy(logits, teacher).item()
    assert loss == pytest.approx(expected, rel=1e-5, abs=1e-6)
    # One camera: the same, and least where the views agree.
    both = camera_soft_cross_entropy({4: logits}, {4: teacher}).item()
    assert both == pytest.approx(loss, rel=1e-6)
    assert loss >= soft_cross_entropy(teacher, teacher).item() - 1e-6


def test_its_gradient_is_the_difference_of_probabilities_and_spares_the_teacher():
    logits = torch.tensor([[0.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[LOG_3, 0.0]], requires_grad=True)
    soft_cross_entropy(logits, teacher).backward()
    assert logits.grad.tolist() == [pytest.approx([1 / 2 - 3 / 4, 1 / 2 - 1 / 4])]
    assert teacher.grad is None


def test_soft_cross_entropy_of_two_cameras_by_hand():
    # ln 2 of two images of camera 0, ln 3 of one of camera 9: 2 · (2 ln 2 + ln 3) / 3.
    logits = {0: torch.zeros(2, 2), 9: torch.zeros(1, 3)}
    loss = camera_soft_cross_entropy(logits, logits)
    assert loss.item() == pytest.approx(2 * math.log(2 * 2 * 3) / 3)


@given(seed=seeds, num=st.integers(1, 4))
def test_cameras_weigh_as_in_the_cross_entropy(seed, num):
    """With teachers that are labels, both are the same."""
    generator = torch.Generator().manual_seed(seed)
    camids = torch.randint(3, (2 * num,), generator=generator)
    labels = torch.randint(3, (2 * num,), generator=generator)
    teachers = 1e4 * F.one_hot(labels, 3).float()
    logits = {
        camid: torch.randn((camids == camid).sum(), 3, generator=generator)
        for camid in camids.unique().tolist()
    }
    own = {camid: labels[camids == camid] for camid in logits}
    expected = camera_cross_entropy(logits, own).item()
    teacher = {camid: teachers[camids == camid] for camid in logits}
    loss = camera_soft_cross_entropy(logits, teacher).item()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_no_gradient_to_the_teacher_of_any_camera():
    logits = {0: torch.zeros(1, 2, requires_grad=True)}
    teacher = {0: torch.tensor([[1.0, 0.0]], requires_grad=True)}
    camera_soft_cross_entropy(logits, teacher).backward()
    assert teacher[0].grad is None
    assert logits[0].grad.abs().sum() > 0


# Soft triplet


def test_soft_triplet_by_hand():
    # Positive and negative are at 1 and 3, 1 and 2, 0 (the image itself) and 2. The
    # teacher has them at 0 and ln 3 each time: it chooses with 1/4 and 3/4.
    features, labels = line(0, 1, 3), torch.tensor([0, 0, 1])
    loss = soft_triplet(features, line(0, 0, LOG_3), labels)
    expected = [math.log(1 + math.exp(d)) - 3 / 4 * d for d in (3 - 1, 2 - 1, 2 - 0)]
    assert loss.item() == pytest.approx(sum(expected) / 3, abs=1e-5)


@given(seed=seeds, num=st.integers(1, 12), num_labels=st.integers(1, 4))
def test_soft_triplet_agrees_with_the_definition(seed, num, num_labels):
    generator = torch.Generator().manual_seed(seed)
    features, teacher = torch.randn(2, num, 5, generator=generator)
    labels = torch.randint(num_labels, (num,), generator=generator)
    expected = oracles.soft_triplet(
        features.tolist(), teacher.tolist(), labels.tolist()
    )
    loss = soft_triplet(features, teacher, labels).item()
    assert loss == pytest.approx(expected, abs=2e-3)


def test_soft_triplet_has_no_negative():
    features = line(0, 1, 2).requires_grad_()
    loss = soft_triplet(features, line(3, 4, 5), torch.tensor([4, 4, 4]))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros(3, 2))


@given(seed=seeds, num_others=st.integers(1, 4))
def test_one_other_label_gives_every_image_a_negative(seed, num_others):
    """So that a batch counts with all its images or with none."""
    generator = torch.Generator().manual_seed(seed)
    features, teacher = torch.randn(2, 4 + num_others, 3, generator=generator)
    labels = torch.tensor([5] * 4 + [2] * num_others)
    expected = oracles.soft_triplet(
        features.tolist(), teacher.tolist(), labels.tolist()
    )
    loss = soft_triplet(features, teacher, labels).item()
    assert loss == pytest.approx(expected, abs=2e-3)
    assert soft_triplet(features[:4], teacher[:4], labels[:4]).item() == 0


def test_soft_triplet_moves_apart_what_its_teacher_has_apart():
    # Taught: positive near, negative far. The view that learns has both at 1.
    features = line(0, 1, -1).requires_grad_()
    teacher = line(0, 0.1, -9).requires_grad_()
    soft_triplet(features, teacher, torch.tensor([0, 0, 1])).backward()
    left, positive, negative = (-features.grad[:, 0]).tolist()
    assert positive < 0 < left
    assert negative < 0
    assert teacher.grad is None


def test_soft_triplet_at_duplicates_has_a_finite_gradient():
    features = line(1, 1, 1, 1).requires_grad_()
    soft_triplet(features, line(1, 1, 1, 1), torch.tensor([0, 0, 1, 1])).backward()
    assert torch.isfinite(features.grad).all()


def test_among_equal_distances_the_lower_index_is_the_hardest():
    # Of the image at 0, the positives 1 and 2 and the negatives 3 and 4 are equally
    # far; the teacher tells them apart. The others' hardest are unique.
    features, labels = line(0, 1, -1, 2, -2), torch.tensor([0, 0, 0, 1, 1])
    teacher = line(0, 5, -7, 11, -13)
    expected = oracles.soft_triplet(
        features.tolist(), teacher.tolist(), labels.tolist()
    )
    found = soft_triplet(features, teacher, labels).item()
    assert found == pytest.approx(expected, abs=1e-4)
    swapped = line(0, -7, 5, 11, -13)
    assert soft_triplet(features, swapped, labels).item() != pytest.approx(
        expected, abs=1e-2
    )
