from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from crosscam.rank import evaluation, on_device
from crosscam.rank.distance import product_error
from crosscam.rank.evaluation import EvaluateParams, evaluate
from crosscam.rank.feature_set import FeatureSet
from crosscam.rank.match import match_features

REPOSITORY = Path(__file__).parents[1]
CPU = torch.device("cpu")
PARAMS = EvaluateParams(
    seed=0, max_rank=5, bootstrap=10, ranked_queries=2, chunk_size=4
)


def alike(spread, dim=768):
    """Return a query and a gallery of four identities, much alike."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((3, dim))[rng.integers(0, 3, 80)]
    rows += spread * rng.standard_normal(rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    columns = rows.astype(np.float32), rng.integers(1, 5, 80), rng.integers(0, 3, 80)
    parts = slice(15), slice(15, 80)
    return [FeatureSet(*(values[part] for values in columns)) for part in parts]


@pytest.mark.parametrize("spread", [1e-7, 1e-6, 1e-4, 1])
@pytest.mark.parametrize("chunk_size", [1, 7, 15, 99])
def test_whoever_multiplies_the_matches_are_the_same(spread, chunk_size):
    """Also where it rounds as badly as any order of summation can."""
    query, gallery = alike(spread)
    expected = match_features(query, gallery, 15)
    torch_ = on_device.product(query.features, gallery.features, CPU)
    rng = np.random.default_rng(1)
    error = np.float32(0.9 * product_error(768))

    def badly(rows, negated):
        torch_(rows, negated)
        negated += rng.choice(np.float32([-1, 0, 1]), negated.shape) * error

    for product in (torch_, badly):
        found = match_features(query, gallery, chunk_size, product)
        assert all(map(np.array_equal, found, expected))


def test_products_are_negated_and_of_these_rows():
    query = np.array([[1, 0], [0.6, 0.8], [0, 1]])  # float64: cast
    gallery = np.array([[1, 0], [0, -1]], np.float32)
    found = np.empty((2, 2), np.float32)
    on_device.product(query, gallery, CPU)(slice(1, 3), found)
    assert found.tolist() == [[-np.float32(0.6), np.float32(0.8)], [0, 1]]


# 15 queries, 65 gallery images of 768 values; products of 4 or 15 queries.
NEEDED = {4: 2 * 4 * (80 * 768 + 4 * 65), 99: 2 * 4 * (80 * 768 + 15 * 65)}


@pytest.mark.parametrize(("chunk_size", "needed"), NEEDED.items())
def test_a_gpu_multiplies_where_it_has_room(monkeypatch, chunk_size, needed):
    query, gallery = (images.features for images in alike(1))
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        on_device, "product", lambda *given: asked.append(given[2].type)
    )
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (needed - 1, 10**12))
    on_device.gpu_product(query, gallery, chunk_size)
    assert asked == []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (needed, 10**12))
    on_device.gpu_product(query, gallery, chunk_size)
    assert asked == ["cuda"]


def test_without_a_gpu_numpy_multiplies(monkeypatch):
    query, gallery = (images.features for images in alike(1))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert on_device.gpu_product(query, gallery, 4) is None


@pytest.mark.parametrize("less", [0, 1])
def test_a_gpu_is_asked_for_where_there_is_enough_to_do(monkeypatch, less):
    query, gallery = alike(1e-6)
    expected, rows = evaluate(query, gallery, PARAMS).metrics, []
    work = len(query.features) * gallery.features.size
    monkeypatch.setattr(evaluation, "GPU_FROM", work + less)

    def there(own, others, chunk_size):
        multiply = on_device.product(own, others, CPU)
        return lambda of, negated: (rows.append(of), multiply(of, negated))

    monkeypatch.setattr(on_device, "gpu_product", there)
    assert evaluate(query, gallery, PARAMS).metrics == expected
    wanted = [slice(0, 4), slice(4, 8), slice(8, 12), slice(12, 15)]
    assert rows == ([] if less else wanted)


def test_torch_is_not_loaded_for_a_small_evaluation():
    code = (
        "import sys, stages.evaluate; from tests.test_rank_evaluation import *; "
        "evaluate(images([0], [1], [0]), images([9], [1], [1]), PARAMS); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
