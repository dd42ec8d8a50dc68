"""On CPU tensors, beside the functions of arrays: the same but for the last digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster import distances, on_device, scores
from crosscam.cluster.neighbours import nearest_neighbours, rounding

# Sums of at most some hundred float32 terms of at most 1, in another order.
TOLERANCE = 1e-6
sizes = st.integers(0, 7)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    """Let seven images take three pieces."""
    monkeypatch.setattr(on_device, "ROWS", 3)


def case(seed, num, num_heads=2, dim=5):
    """Return features, scores and camids of images, some of them copies."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((num, dim)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    parts = [rng.dirichlet(np.full(4, 0.3), num) for _ in range(num_heads)]
    vectors = np.concatenate(parts, axis=1).astype(np.float32)
    if num:
        copies = rng.integers(num, size=num // 2)
        features[copies], vectors[copies] = features[0], vectors[0]
    return features, vectors, rng.integers(3, size=num)


def tensors(*arrays):
    return [torch.from_numpy(array) for array in arrays]


def checked(found, expected):
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.array_equal(found, found.T)
    assert np.allclose(found, expected, rtol=0, atol=TOLERANCE)
    return found


@given(seed=seeds, num=sizes)
def test_cosine_distances(seed, num):
    features, _, _ = case(seed, num)
    found = checked(
        on_device.cosine_distances(*tensors(features)),
        distances.cosine_distances(features),
    )
    assert not found.diagonal().any()
    assert (found >= 0).all()


@given(seed=seeds, num=sizes, num_heads=st.integers(1, 3))
def test_score_similarities(seed, num, num_heads):
    _, vectors, _ = case(seed, num, num_heads)
    found = checked(
        on_device.score_similarities(*tensors(vectors), num_heads),
        scores.score_similarities(vectors, num_heads),
    )
    assert (found.diagonal() == 1).all()
    same = (vectors[:, None] == vectors[None]).all(2)
    assert (found[same] == 1).all()
    assert (found <= 1).all()


@given(seed=seeds, num=sizes, weight=st.sampled_from([0.0, 0.02, 1.0]))
def test_mixed_distances(seed, num, weight):
    features, vectors, camids = case(seed, num)
    expected = distances.cosine_distances(features)
    scores.mix_scores_into(expected, vectors, camids, 2, weight)
    found = checked(
        on_device.mixed_distances(
            *tensors(features, vectors), camids, num_cameras=2, weight=weight
        ),
        expected,
    )
    assert not found.diagonal().any()
    assert (found >= 0).all()


def test_many_classes_cost_digits(monkeypatch):
    """Six cameras of 600 clusters: float32 sums of 3,600 differences."""
    monkeypatch.setattr(on_device, "ROWS", 512)
    rng = np.random.default_rng(0)
    parts = [rng.dirichlet(np.full(600, 0.1), 64) for _ in range(6)]
    vectors = np.concatenate(parts, axis=1).astype(np.float32)
    found = on_device.score_similarities(torch.from_numpy(vectors), 6)
    expected = scores.score_similarities(vectors, 6)
    assert np.abs(found - expected).max() < 5e-6


@given(seed=seeds, num=st.integers(2, 40))
def test_whatever_multiplies_neighbours_are_the_same(seed, num):
    """Also where it rounds as badly as any order of summation can."""
    features, _, _ = case(seed, num, dim=64)
    on_cpu, error = on_device.product(features, torch.device("cpu")), rounding(64)
    rng = np.random.default_rng(seed)

    def badly(rows, columns, tile):
        on_cpu(rows, columns, tile)
        tile += rng.choice([-0.9, 0, 0.9], tile.shape).astype(np.float32) * error

    count = min(num, 6)
    expected = nearest_neighbours(features, count)
    for product in (on_cpu, badly):
        found = nearest_neighbours(features, count, product)
        assert all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("wrong", [np.nan, 0.5])
def test_scores_that_are_none_are_refused(wrong):
    features, vectors, camids = case(0, 5)
    vectors[2, 0] += wrong
    given = tensors(features, vectors)
    with pytest.raises(
        ValueError, match=r"a row of scores sums to (nan|2\.5), not to 2"
    ):
        on_device.mixed_distances(*given, camids, num_cameras=2, weight=0.1)
    on_device.mixed_distances(*given, camids, num_cameras=2, weight=0.0)


def test_by_hand():
    # At right angles; scores 1 and 0 against 3/4 and 1/4: L1 is 1/2, J 1.5 / 2.5.
    features, vectors = torch.eye(2), torch.tensor([[1.0, 0.0], [0.75, 0.25]])
    mixed = on_device.mixed_distances(
        features, vectors, np.array([0, 1]), num_cameras=1, weight=0.5
    )
    assert mixed.tolist() == [pytest.approx([0, 0.7]), pytest.approx([0.7, 0])]
    same = on_device.mixed_distances(
        features, vectors, np.array([4, 4]), num_cameras=1, weight=0.5
    )
    assert same.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(("num", "room"), [(7, True), (8, False)])
def test_room_for_all_pairs(monkeypatch, num, room):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10, 900))
    assert on_device.fits(num, torch.device("cuda")) is room
