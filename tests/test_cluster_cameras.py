from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster import cameras as module
from crosscam.cluster.cameras import (
    PAIR_BYTES,
    check_density,
    inter_pseudo_labels,
    intra_pseudo_labels,
)
from crosscam.cluster.jaccard import RerankParams
from crosscam.cluster.pseudo_labels import OUTLIER, CutParams

seeds = st.integers(0, 2**32 - 1)
RERANK = RerankParams(k1=4, k2=2, lambda_=0.3)
PLAIN = RerankParams(k1=4, k2=1, lambda_=1.0)  # the scaled cosine distances


def into(num_clusters, min_size=1):
    return CutParams("count", num_clusters, 0.5, min_size)


def unit_rows(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def directions(degrees):
    angles = np.deg2rad(degrees)
    return unit_rows(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def test_each_camera_is_numbered_from_zero():
    features = directions([0, 90, 1, 91, 2, 92, 3, 93])
    camids = np.array([4, 4, 4, 4, 7, 7, 7, 7])
    labels = intra_pseudo_labels(features, camids, PLAIN, into(2))
    assert labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert labels.dtype == np.int32


def test_a_small_camera_does_not_change_later_ones():
    # Two images allow for one cluster; in published IICS the next cameras would then
    # get no more than one either.
    features = directions([0, 90, 0, 1, 90, 91])
    camids = np.array([0, 0, 1, 1, 1, 1])
    labels = intra_pseudo_labels(features, camids, PLAIN, into(600))
    assert labels.tolist() == [0, 0, 0, 0, 1, 1]


def test_a_camera_with_a_single_image():
    features = directions([0, 1, 90, 91, 45])
    camids = np.array([0, 0, 0, 0, 1])
    assert intra_pseudo_labels(features, camids, PLAIN, into(2))[4] == 0
    assert intra_pseudo_labels(features, camids, PLAIN, into(2, 2))[4] == OUTLIER


def test_no_images():
    none = np.empty((0, 4), np.float32)
    assert intra_pseudo_labels(none, np.empty(0, int), RERANK, into(2)).shape == (0,)


@given(seed=seeds)
def test_labels_of_a_camera_do_not_depend_on_the_others(seed):
    rng = np.random.default_rng(seed)
    features, camids = unit_rows(rng.standard_normal((30, 4))), rng.integers(0, 3, 30)
    cut = CutParams("quantile", 9, 0.2, 2)
    labels = intra_pseudo_labels(features, camids, RERANK, cut)
    own = camids == 1
    alone = intra_pseudo_labels(features[own], camids[own], RERANK, cut)
    assert np.array_equal(labels[own], alone)


@pytest.fixture
def crossed():
    # Images a, b of camera 0 and c, d of camera 1. By features alone a is a little
    # nearer to c (0.40) than to d (0.41), and b to d; the scores say a = d and b = c.
    rest = np.sqrt(1 - 0.6**2 - 0.59**2)
    features = unit_rows([[1, 0, 0], [0, 1, 0], [0.6, 0.59, rest], [0.59, 0.6, -rest]])
    scores = np.array([[1, 0], [0, 1], [0, 1], [1, 0]], np.float32)
    return features, scores, np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("weight", "expected"), [(0.0, [0, 1, 0, 1]), (0.02, [0, 1, 1, 0])]
)
def test_scores_bring_images_together(crossed, weight, expected):
    labels = inter_pseudo_labels(
        *crossed, PLAIN, into(2), num_heads=1, mixing_weight=weight
    )
    assert labels.tolist() == expected


def test_scores_are_not_looked_at_without_weight(crossed):
    features, scores, camids = crossed
    labels = inter_pseudo_labels(
        features,
        np.full_like(scores, np.nan),
        camids,
        PLAIN,
        into(2),
        num_heads=1,
        mixing_weight=0.0,
    )
    assert labels.tolist() == [0, 1, 0, 1]


def test_scores_within_a_camera_do_not_matter(crossed):
    features, scores, _ = crossed
    labels = inter_pseudo_labels(
        features, scores, np.zeros(4), PLAIN, into(2), num_heads=1, mixing_weight=0.02
    )
    assert labels.tolist() == [0, 1, 0, 1]


def test_one_matrix_passes_through_all_steps(crossed, monkeypatch):
    seen = []

    def step(distances, *_):
        seen.append(distances)
        return distances

    monkeypatch.setattr(module, "cosine_distances", lambda _: step(np.eye(4)))
    monkeypatch.setattr(module, "mix_scores_into", step)
    monkeypatch.setattr(module, "reranked_distances", step)
    monkeypatch.setattr(module, "pseudo_labels", step)
    inter_pseudo_labels(*crossed, PLAIN, into(2), num_heads=1, mixing_weight=0.02)
    assert len(seen) == 4
    assert all(matrix is seen[0] for matrix in seen)


DENSE = CutParams("density", 1, 0.0, 1, eps=0.6, min_samples=3)
JACCARD = RerankParams(k1=5, k2=2, lambda_=0.0)


def test_by_density():
    features = directions([0, 90, 1, 91, 2, 92, 3, 93, 4, 94, 5, 95, 45])
    camids = np.array([4] * 6 + [7] * 6 + [9])
    inter = inter_pseudo_labels(
        *(features, np.full((13, 2), np.nan, np.float32), camids, JACCARD, DENSE),
        num_heads=1,
        mixing_weight=0.0,
    )
    assert inter.tolist() == [0, 1] * 6 + [OUTLIER]
    own = RerankParams(k1=2, k2=1, lambda_=0.0)
    intra = intra_pseudo_labels(features, camids, own, DENSE)
    assert intra.tolist() == [0, 1] * 6 + [OUTLIER]  # the last camera has one image


def test_what_density_does_without():
    check_density(RERANK, into(2), 0.02)
    check_density(JACCARD, DENSE, 0.0)
    with pytest.raises(ValueError, match=r"rerank.lambda_: must be 0 .* got 0\.3: set"):
        check_density(RERANK, DENSE)
    with pytest.raises(ValueError, match=r"^mix.weight: must be 0 .* got 0\.02: set"):
        check_density(JACCARD, DENSE, 0.02)


def test_memory_is_as_much_per_pair_as_is_said():
    rng = np.random.default_rng(0)
    features = unit_rows(rng.standard_normal((3000, 8)))
    scores = rng.dirichlet(np.ones(6), 3000).astype(np.float32)
    camids = np.arange(3000) % 3
    given = features, scores, camids, RerankParams(20, 6, 0.3), into(80)
    inter_pseudo_labels(*given, num_heads=1, mixing_weight=0.02)  # kernels are loaded
    tracemalloc.start()
    inter_pseudo_labels(*given, num_heads=1, mixing_weight=0.02)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.8 * PAIR_BYTES < peak / 3000**2 < PAIR_BYTES


@pytest.mark.parametrize("weight", [0.0, 0.02])
def test_distances_of_a_gpu_give_the_same_clusters(monkeypatch, weight):
    rng = np.random.default_rng(0)
    features = unit_rows(rng.standard_normal((60, 8)))
    scores = rng.dirichlet(np.ones(6), 60).astype(np.float32)
    given = features, scores, np.arange(60) % 3, RerankParams(6, 3, 0.3), into(12)
    how = {"num_heads": 1, "mixing_weight": weight}
    expected = inter_pseudo_labels(*given, **how)
    # What is sent to a GPU stays here; all else is as with one.
    monkeypatch.setattr(module, "_computes_distances", lambda device, num: True)
    monkeypatch.delattr(module, "cosine_distances")
    assert inter_pseudo_labels(*given, **how).tolist() == expected.tolist()


def test_a_gpu_computes_distances_it_has_room_for(monkeypatch):
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10, 900))
    assert module._computes_distances(cuda, 7)
    assert not module._computes_distances(cuda, 8)
    assert not module._computes_distances(cpu, 7)
