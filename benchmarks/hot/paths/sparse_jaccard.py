"""Sparse Jaccard distances from features, in the form of SpCL and Cluster Contrast.

Up to the ε of SpCL, as DBSCAN looks at no others, and all below 1; the dense form has
all in either case. Of these features 12 an image are up to ε; 5,025 of 12,936 are below
1, as neighbourhoods of vectors drawn at random overlap more than those of a network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.hot.agree import ROWS, difference
from benchmarks.hot.literal import first_neighbours, spcl_jaccard
from benchmarks.hot.path import Agreement, Arrays, Case, Goal, Implementation, Path
from benchmarks.hot.world import training_features

K1, K2 = 30, 6
EPS = 0.6


def inputs(num: int, _: float) -> Arrays:
    """Return features of a training set."""
    return {"features": training_features(num, msmt=num > 20_000)}


def ours(arrays: Arrays, _: int, limit: float) -> Callable[[], Arrays]:
    """Start ours."""
    from crosscam.cluster.neighbours import nearest_neighbours
    from crosscam.cluster.sparse_jaccard import sparse_jaccard_distances

    features = arrays["features"]

    def run() -> Arrays:
        neighbours, _ = nearest_neighbours(features, K1)
        found = sparse_jaccard_distances(features, neighbours, K1, K2, limit)
        parts = {name: getattr(found, name) for name in ("indptr", "indices", "data")}
        return {**parts, "limit": np.array(limit)}

    return run


def dense(arrays: Arrays, *_: float) -> Callable[[], Arrays]:
    """Start the published steps, with neighbours by faiss."""
    import faiss

    features = arrays["features"]

    def run() -> Arrays:
        index = faiss.IndexFlatL2(features.shape[1])
        index.add(features)
        _, ranks = index.search(features, K1)
        return {"matrix": spcl_jaccard(features, ranks, K1, K2)}

    return run


def exact(arrays: Arrays, *_: float) -> Callable[[], Arrays]:
    """Start them in float64, with ties in order."""

    def run() -> Arrays:
        features = arrays["features"].astype(np.float64)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        parts = []
        for start in range(0, len(features), ROWS):
            block = 1 - features[start : start + ROWS] @ features.T
            parts.append(first_neighbours(block, K1, start))
        ranks = np.concatenate(parts)
        return {"matrix": spcl_jaccard(features, ranks, K1, K2)}

    return run


def same_entries(ours: Arrays, peer: Arrays, tolerance: float) -> Agreement:
    """Compare a sparse matrix with a dense one, where beyond the limit nothing is."""
    starts, matrix, limit = ours["indptr"], peer["matrix"], float(ours["limit"])
    largest, beyond = 0.0, 0
    for start in range(0, len(matrix), ROWS):
        wanted = matrix[start : start + ROWS]
        # What is not stored agrees with what is beyond the limit, but for rounding.
        block = np.where(wanted > limit - tolerance, wanted, 1)
        ends = starts[start : start + len(block) + 1]
        rows = np.repeat(np.arange(len(block)), np.diff(ends))
        stored = slice(ends[0], ends[-1])
        block[rows, ours["indices"][stored]] = ours["data"][stored]
        apart = np.abs(block - wanted)
        largest = float(np.maximum(largest, apart.max()))
        beyond += int((~(apart <= tolerance)).sum())
    return difference(largest, beyond, matrix.size, tolerance)


SPCL = Goal(wall=8, growth=200)

PATH = Path(
    title="Jaccard distances from features (k1 30, k2 6), sparse",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={
        "spcl": Implementation(
            "SpCL, its steps in numpy and faiss",
            dense,
            tolerance=1e-6,
            cases=(f"12,936, up to {EPS}", "12,936, all"),
        )
    },
    untimed={"exact": Implementation("the same in float64", exact)},
    checks={"spcl": ("ours", "exact")},
    agreement=same_entries,
    cases=(
        Case(f"12,936, up to {EPS}", (12_936, EPS), {"spcl": SPCL}),
        Case("12,936, all", (12_936, 1.0), {"spcl": SPCL}),
        Case(f"32,621, up to {EPS}", (32_621, EPS)),
    ),
    quick=(1000, EPS),
    warm=lambda _, limit: (200, limit),
)
