"""Frozen outputs: a change that moves them must say so, by changing tests/golden.

``python -m tests.test_golden`` writes them anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from crosscam.cluster.cameras import inter_pseudo_labels, intra_pseudo_labels
from crosscam.cluster.distances import cosine_distances
from crosscam.cluster.jaccard import RerankParams, reranked_distances
from crosscam.cluster.pseudo_labels import CutParams
from crosscam.data.samplers import camera_batches, identity_batches
from crosscam.files import write_json

FROZEN = Path(__file__).parent / "golden/pseudo_labels.json"
RERANK = RerankParams(k1=4, k2=2, lambda_=0.3)
CUTS = {
    "count": CutParams("count", 4, 0.1, min_size=1),
    "quantile": CutParams("quantile", 4, 0.1, min_size=2),
}


def outputs() -> dict[str, Any]:
    """Return distances, pseudo labels and batches of 24 images of 4 people."""
    rng = np.random.default_rng(5)
    pids, camids = np.arange(24) % 4, np.arange(24) // 8
    raw = rng.normal(size=(4, 6))[pids] + 0.5 * rng.normal(size=(3, 6))[camids]
    raw += 0.4 * rng.normal(size=raw.shape)
    features = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    scores = rng.dirichlet(np.ones(4), size=(24, 3)).reshape(24, 12).astype(np.float32)
    distances = reranked_distances(cosine_distances(features), RERANK)
    result: dict[str, Any] = {"distances": distances[:6].astype(float).tolist()}
    for name, cut in CUTS.items():
        intra = intra_pseudo_labels(features, camids, RERANK, cut)
        inter = inter_pseudo_labels(
            features, scores, camids, RERANK, cut, num_heads=3, mixing_weight=0.1
        )
        result[name] = {"intra": intra.tolist(), "inter": inter.tolist()}
    by_camera = camera_batches(camids, pids, 6, np.random.default_rng(1))
    by_identity = identity_batches(pids, 2, 3, np.random.default_rng(2))
    result["camera_batches"] = [rows.tolist() for rows in by_camera]
    result["identity_batches"] = [rows.tolist() for rows in by_identity]
    return result


def test_nothing_has_moved() -> None:
    frozen, found = json.loads(FROZEN.read_text()), outputs()
    np.testing.assert_allclose(
        found.pop("distances"), frozen.pop("distances"), atol=2e-6
    )
    assert found == frozen


if __name__ == "__main__":
    write_json(FROZEN, outputs())
