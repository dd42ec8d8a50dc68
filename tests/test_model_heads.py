from __future__ import annotations

import pytest
import torch

from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import ShiftlessNorm

LINEAR, COSINE = HeadParams("linear", 1.0), HeadParams("cosine", 10.0)


def head_with(weight, params, neck=False):
    weight = torch.tensor(weight)
    head = Head(weight.shape[1], len(weight), params, neck)
    with torch.no_grad():
        head.weight.copy_(weight)
    return head


def test_linear_logits():
    head = head_with([[1.0, 0.0], [1.0, 1.0]], LINEAR)
    assert head(torch.tensor([[2.0, 3.0]])).tolist() == [[2, 5]]


def test_cosine_logits_know_no_length():
    head = head_with([[5.0, 0.0], [0.0, 0.1], [-3.0, 0.0]], COSINE)
    logits = head(torch.tensor([[7.0, 0.0], [0.0, 0.01]])).detach()
    assert logits == pytest.approx(torch.tensor([[10.0, 0, -10], [0, 10, 0]]))


def test_linear_weights_start_small():
    torch.manual_seed(0)
    weight = Head(200, 50, LINEAR, neck=False).weight
    assert weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert weight.mean().item() == pytest.approx(0, abs=5e-5)


def test_cosine_weights_start_at_class_means():
    head = Head(2, 2, COSINE, neck=False)
    # Lengths do not count: class 0 is along (3, 0) and (0, 1), class 1 along (0, 9).
    features = torch.tensor([[3.0, 0.0], [0.0, 9.0], [0.0, 1.0]])
    head.start_at(features, torch.tensor([0, 1, 0]))
    half = 0.5**0.5
    assert head.weight.detach() == pytest.approx(torch.tensor([[half, half], [0, 1]]))
    assert head.weight.requires_grad


def test_linear_weights_stay_where_they_are():
    head = head_with([[1.0, 2.0]], LINEAR)
    head.start_at(torch.tensor([[9.0, 9.0]]), torch.tensor([0]))
    assert head.weight.tolist() == [[1, 2]]


def test_a_neck_normalises_first():
    head = head_with([[1.0, 0.0], [0.0, 1.0]], LINEAR, neck=True)
    logits = head(torch.tensor([[1.0, 0.0], [3.0, 4.0]])).detach()
    assert logits == pytest.approx(torch.tensor([[-1.0, -1], [1, 1]]), abs=1e-4)


def test_the_neck_learns_a_scale_and_no_shift():
    head = Head(3, 2, LINEAR, neck=True)
    trained = [name for name, p in head.named_parameters() if p.requires_grad]
    assert sorted(trained) == ["norm.weight", "weight"]
    assert head.norm.bias.tolist() == [0, 0, 0]


def test_a_single_row_is_normalised_by_the_running_statistics():
    norm = ShiftlessNorm(2).train()
    norm.running_mean.copy_(torch.tensor([1.0, 2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 1.0]))
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    row = torch.tensor([[5.0, 2.0]])
    assert norm(row).detach() == pytest.approx(torch.tensor([[2.0, 0.0]]), abs=1e-4)
    assert all(
        torch.equal(value, before[key]) for key, value in norm.state_dict().items()
    )
    assert torch.equal(norm.eval()(row), norm.train()(row))


def test_more_rows_move_the_running_statistics():
    norm = ShiftlessNorm(1).train()
    normed = norm(torch.tensor([[0.0], [2.0]])).detach()
    assert normed == pytest.approx(torch.tensor([[-1.0], [1.0]]), abs=1e-4)
    assert norm.running_mean.item() == pytest.approx(0.1)  # 0.9 · 0 + 0.1 · 1
    assert norm.eval()(torch.tensor([[0.1]])).item() == pytest.approx(0, abs=1e-6)
