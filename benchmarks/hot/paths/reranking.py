"""Re-ranked distances of a training set, from a matrix, in place (IICS)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.hot.agree import close, symmetrised
from benchmarks.hot.literal import first_neighbours, iics_reranked, reranked
from benchmarks.hot.path import Arrays, Case, Goal, Implementation, Path
from benchmarks.hot.world import training_features
from crosscam.cluster.distances import cosine_distances
from crosscam.cluster.jaccard import RerankParams, reranked_distances

PARAMS = RerankParams(k1=20, k2=6, lambda_=0.3)


def inputs(num: int) -> Arrays:
    """Return the distances of a training set."""
    features = training_features(num, msmt=num > 20_000)
    return {"distances": cosine_distances(features)}


def ours(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start ours."""
    distances = arrays["distances"]
    return lambda: {"matrix": reranked_distances(distances, PARAMS)}


def published(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start the published steps as they are, with float16 vectors."""
    k1, k2, lambda_ = PARAMS.k1, PARAMS.k2, PARAMS.lambda_
    return lambda: {"matrix": iics_reranked(arrays["distances"], k1, k2, lambda_)}


def exact(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start them in float64, with ties in order, and both directions averaged."""
    k1, k2, lambda_ = PARAMS.k1, PARAMS.k2, PARAMS.lambda_

    def run() -> Arrays:
        distances = arrays["distances"].astype(np.float64)
        ranks = first_neighbours(distances, k1 + 1)
        distances /= distances.max(axis=1, keepdims=True)
        found = reranked(distances, ranks, k1, k2, lambda_, np.float64)
        return {"matrix": symmetrised(found)}

    return run


IICS = Goal(wall=50, cpu=30, growth=100)

PATH = Path(
    title="re-ranking, training set (k1 20, k2 6, λ 0.3)",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={
        "iics": Implementation(
            "IICS, its steps in numpy", published, tolerance=1e-6, cases=("12,936",)
        )
    },
    untimed={"exact": Implementation("the same in float64", exact)},
    checks={"iics": ("ours", "exact")},
    agreement=close,
    cases=(
        Case("12,936", (12_936,), {"iics": IICS}),
        Case("32,621", (32_621,), {"": Goal(seconds=5, peak=5000)}),
    ),
    quick=(1000,),
    warm=lambda _: (200,),
)
